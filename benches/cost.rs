//! What a restart costs besides time: memory, disk, processes, and the processor while it waits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::Options;
use crate::agent;
use crate::floor::Plain;
use crate::latency::await_phase;
use crate::table::{Row, Samples};
use crate::world::{NETSKY, World};

const MIB: f64 = 1024.0 * 1024.0;

/// The peak of the restarting process: every other process of netsky's does less and is a launch or a hook.
pub(crate) fn memory(options: &Options) -> Vec<Row> {
    let world = World::new();
    world.configure("instant", &world.instant_agent());
    let number = options.agents.to_string();
    world.run(&["up", &number]);
    let peaks = (0..3).map(|_| peak(&mut world.start(&["restart", &number])));
    let peaks = Samples::of(peaks.collect());
    let what = format!("peak memory of restart {}", options.agents);
    vec![Row::judged(what, peaks.words("MiB"), "≤ 20 MiB", peaks.worst() / 20.0)]
}

/// The high-water mark of a process, in MiB; the kernel keeps it, so only what grows in the last millisecond is lost.
fn peak(child: &mut Child) -> f64 {
    let mut peak = 0.0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) = mark.and_then(|mark| mark.split_whitespace().next()?.parse::<f64>().ok()) {
            peak = f64::max(peak, kib / 1024.0);
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn binary(_: &Options) -> Vec<Row> {
    let size = fs::metadata(NETSKY).unwrap().len() as f64 / MIB;
    vec![Row::judged("stripped binary", format!("{size:.2} MiB"), "≤ 12 MiB", size / 12.0)]
}

/// Counted by strace: what the restart starts, and what its server starts more than the floor's server does (tmux
/// itself may start a helper for each pane, where it notes logins).
pub(crate) fn processes(options: &Options) -> Vec<Row> {
    let what = format!("processes started by restart {}", options.agents);
    let world = World::new();
    if world.command("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return vec![Row::told(what, "not measured: strace is not installed")];
    }
    let agent = world.instant_agent();
    world.configure("instant", &agent);
    let number = options.agents.to_string();
    world.run(&["up", &number]);
    let trace = world.work.join("ours.strace");
    let by_server = made_by(&world, world.server_pid().unwrap(), || {
        let mut restart = world.command("strace");
        restart.arg("-f").args(FORKS).arg("-o").arg(&trace).args([NETSKY, "restart", &number]);
        assert!(restart.stderr(Stdio::null()).status().unwrap().success());
    });
    let plain = Plain::start(&world, agent);
    plain.restart(options.agents);
    let server = plain.say("display-message -p '#{pid}'\n").trim().parse().unwrap();
    let floor = made_by(&world, server, || {
        plain.restart(options.agents);
    });
    let (ours, more) = (made(&trace), by_server.saturating_sub(floor));
    let all = 1 + ours + more;
    let measured = format!("{all} (itself, {ours} by it, {more} by the server)");
    let row = Row::judged(what, measured, "≤ 12", all as f64 / 12.0);
    vec![row.with_floor(format!("3, and {floor} by the server"), all as f64 / 3.0)]
}

/// What strace is told: calls that make processes.
const FORKS: [&str; 5] = ["-qq", "-e", "trace=clone,clone3,fork,vfork", "-e", "signal=none"];

/// How many processes a server makes meanwhile.
fn made_by(world: &World, server: i32, work: impl FnOnce()) -> usize {
    let trace = world.work.join("server.strace");
    let mut watch = world.command("strace");
    watch.args(FORKS).arg("-o").arg(&trace).args(["-p", &server.to_string()]).stderr(Stdio::null());
    let mut watch = watch.spawn().unwrap();
    await_tracer(server);
    work();
    // strace lets go of the server at a TERM.
    let strace = rustix::process::Pid::from_child(&watch);
    rustix::process::kill_process(strace, rustix::process::Signal::TERM).unwrap();
    watch.wait().unwrap();
    made(&trace)
}

fn await_tracer(pid: i32) {
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        if status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0")) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("strace does not trace the server");
}

/// Processes, not threads, that were made according to strace.
fn made(path: &std::path::Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut made = BTreeSet::new();
    for line in text.lines() {
        // With -f each line begins with who called; an interrupted call has its flags in its first half.
        let caller = line.split(' ').next().filter(|word| word.parse::<u32>().is_ok()).unwrap_or_default();
        if line.ends_with("<unfinished ...>") {
            begun.insert(caller, line);
            continue;
        }
        let call = if line.contains(" resumed>") { begun.remove(caller).unwrap_or(line) } else { line };
        let child = line.rsplit_once("= ").and_then(|(_, child)| child.trim().parse::<u32>().ok());
        if let Some(child) = child.filter(|_| !call.contains("CLONE_THREAD")) {
            made.insert(child);
        }
    }
    made.len()
}

/// How long the agents of the last row take, and how much of that is measured.
const SLOW: u32 = 10_000;
const WATCHED: Duration = Duration::from_secs(9);

pub(crate) fn waiting(_: &Options) -> Vec<Row> {
    const AGENTS: u32 = 32;
    let (mut ours, mut server) = (Vec::new(), Vec::new());
    let world = World::new();
    for _ in 0..2 {
        world.configure("slow", &agent::command("marker", &world.work, NETSKY, [SLOW, 0, 0, AGENTS]));
        let before = world.records();
        let mut child = world.start(&["restart", &(AGENTS - 1).to_string()]);
        await_phase(&world, &before, "spawned");
        std::thread::sleep(Duration::from_millis(200));
        let pids = [i32::try_from(child.id()).unwrap(), world.server_pid().unwrap()];
        let begun = Instant::now();
        let first = pids.map(processor_ms);
        std::thread::sleep(WATCHED);
        let last = pids.map(processor_ms);
        let elapsed = begun.elapsed().as_secs_f64() * 1000.0;
        assert!(child.wait().unwrap().success());
        ours.push((last[0] - first[0]) / elapsed * 100.0);
        server.push((last[1] - first[1]) / elapsed * 100.0);
    }
    let (ours, server) = (Samples::of(ours), Samples::of(server));
    let row = |what: &str, samples: &Samples, limit: f64| {
        let target = format!("≤ {limit:.0} % of a core");
        Row::judged(what, samples.words("%"), &target, samples.median() / limit)
    };
    vec![
        row("waiting 10 s for 32 agents: netsky", &ours, 3.0),
        row("waiting 10 s for 32 agents: tmux server", &server, 6.0),
    ]
}

/// Processor time of a process and of its children that live: the tmux client that carries the conversation.
fn processor_ms(pid: i32) -> f64 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    // A server's children are agents.
    let is_server =
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("tmux"));
    let children = children.split_whitespace().filter(|_| !is_server).map(|pid| pid.parse().unwrap());
    std::iter::once(pid).chain(children).map(ticks).sum::<f64>() * 10.0
}

/// utime + stime in ticks of 10 ms, proc_pid_stat(5).
fn ticks(pid: i32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0.0 };
    let fields: Vec<&str> = rest.split_whitespace().collect();
    [11, 12].iter().map(|field| fields[*field].parse::<f64>().unwrap()).sum()
}
