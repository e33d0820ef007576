//! HTTP/1.1, as far as agent CLIs use it: one request a connection, an answer in JSON or a stream of server-sent events.
//!
//! Invariant: a connection has a thread of its own, and each event is flushed when it is written, so a CLI sees it at
//! its time. A client that hangs up ends its own answer and nothing else.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::Value;

pub struct Request {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
    stream: BufReader<TcpStream>,
}

pub struct Event {
    pub name: &'static str,
    pub data: Value,
    /// A piece of the answer: it waits for its pace.
    pub paced: bool,
}

/// The request of a connection; `None` where the client hung up without one.
pub fn receive(stream: TcpStream) -> io::Result<Option<Request>> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let Some(first) = line(&mut stream)? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(io::Error::other(format!("no request line: {first:?}")));
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let (mut length, mut is_chunked) = (0, false);
    while let Some(header) = line(&mut stream)?.filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':').unwrap_or((&header, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            "transfer-encoding" => is_chunked = value.trim().eq_ignore_ascii_case("chunked"),
            "expect" => stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
            _ => {}
        }
    }
    let body = if is_chunked { chunks(&mut stream)? } else { exactly(&mut stream, length)? };
    Ok(Some(Request { method, path, body, stream }))
}

fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = stream.read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end().to_owned()))
}

fn exactly(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?.unwrap_or_default();
        let digits = size.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
        body.extend(exactly(stream, length)?);
        line(stream)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

pub fn send_json(
    request: Request,
    status: u16,
    headers: &[(String, String)],
    body: &Value,
) -> io::Result<()> {
    let body = body.to_string();
    let mut head = format!(
        "HTTP/1.1 {status} Loopback\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = request.stream.into_inner();
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    stream.flush()
}

pub fn send_events(request: Request, events: &[Event], pace: Duration) -> io::Result<()> {
    let mut stream = request.stream.into_inner();
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
          transfer-encoding: chunked\r\nconnection: close\r\nrequest-id: req_loopback\r\n\r\n",
    )?;
    for event in events {
        if event.paced {
            thread::sleep(pace);
        }
        let text = format!("event: {}\ndata: {}\n\n", event.name, event.data);
        stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())?;
    }
    stream.write_all(b"0\r\n\r\n")?;
    stream.flush()
}

/// A text in at most `count` pieces of about the same length.
pub fn pieces(text: &str, count: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let length = characters.len().div_ceil(count.max(1)).max(1);
    characters.chunks(length).map(|piece| piece.iter().collect()).collect()
}
