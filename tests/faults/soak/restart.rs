//! A restart with its hand-over, and the fault that strikes it.

use std::cell::Cell;
use std::fs::{self, File};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use super::census;
use super::course::Course;
use super::fault::{Fault, When};
use super::home;
use super::mail::{Letter, Told, Way};
use super::records::Reading;
use super::round::{Manner, Round};
use super::underway::{self, Act, Carrier, Ended, Strike};
use crate::strace::{self, Point};
use crate::support::world::signal;
use crate::sweep::Harm;

/// Signals this process.
fn hit(name: &'static str) -> impl Fn(i32) {
    move |pid| signal(pid, name)
}

/// Gives a command the marks of an agent0.
fn mark(command: &mut Command, generation: &str) {
    command.env("NETSKY_AGENT", "agent0").env("NETSKY_GENERATION", generation);
}

impl Course {
    /// Restarts as the round has it. The code is the restart's own, also where another process carried it.
    pub(super) fn restart(&mut self, round: &Round) -> Ended {
        let letter = letter_of(self, round, round.way, "");
        // Before anything is done to agent0.
        let generation = (round.manner == Manner::FromInside).then(|| self.generation());
        self.configure(&round.fault);
        self.write(&letter);
        if round.way == Way::Deliver {
            let source = letter.source.to_str().unwrap().to_owned();
            // Not while the settings are broken: that is for the restart.
            let delivered = self.must(&["handoff", "deliver", &source], 0);
            self.mail.tell(&letter.text, if delivered.code == 0 { Told::Taken } else { Told::Nothing });
        }
        let second = match round.fault {
            Fault::SecondRestart { .. } => {
                let second = letter_of(self, round, Way::File, ", the second");
                self.write(&second);
                Some(second)
            }
            _ => None,
        };
        self.before(&round.fault);
        let (command, stdin) = self.called(round, &letter, generation.as_deref());
        let strikes = self.strikes(round, &letter, second.as_ref());
        let home = &self.world.home;
        let carriers = vec![Carrier::start(command, stdin)];
        let mut ended = underway::look_after(carriers, strikes, |_| census::supervisors(home).is_empty());
        self.judge(round, &letter, second.as_ref(), &mut ended)
    }

    /// Puts a text where its giver has it.
    fn write(&mut self, letter: &Letter) {
        if letter.way != Way::Draft {
            fs::write(&letter.source, &letter.text).unwrap();
        } else {
            self.mail.replaces_draft();
            let note = self.world.write("draft.md", &letter.text);
            let mut command = self.netsky(&["handoff", "write", "-"]);
            mark(&mut command, &self.generation());
            let written = underway::look_after(
                vec![Carrier::start(command, Some(File::open(note).unwrap()))],
                Vec::new(),
                |_| true,
            );
            if written[0].code != 0 {
                self.find(Harm::Other, format!("the draft was not written: {:?}", written[0]));
            }
        }
        self.mail.give(letter.clone());
    }

    /// The generation of the agent0 that lives.
    fn generation(&self) -> String {
        let marked = census::marked(&self.world.home);
        let root = marked.into_iter().find(|marked| marked.agent == "agent0");
        root.expect("agent0 does not live").generation
    }

    /// What is done before the restart begins.
    fn before(&mut self, fault: &Fault) {
        match fault {
            Fault::ServerKilled { when: When::Before } => self.servers().into_iter().for_each(hit("KILL")),
            Fault::SocketUnlinked { when: When::Before } => fs::remove_file(self.world.socket()).unwrap(),
            Fault::AgentsKilled { agents, when: When::Before } => self.kill(agents),
            Fault::FileBroken { path, how } => self.break_file(path, *how),
            _ => {}
        }
    }

    fn servers(&self) -> Vec<i32> {
        census::servers(&self.world.socket()).iter().map(|server| server.pid).collect()
    }

    fn kill(&self, agents: &[String]) {
        for marked in census::marked(&self.world.home) {
            if agents.contains(&marked.agent) {
                signal(marked.process.pid, "KILL");
            }
        }
    }

    fn called(&self, round: &Round, letter: &Letter, generation: Option<&str>) -> (Command, Option<File>) {
        let mut arguments = vec!["restart"];
        let mut stdin = None;
        match round.way {
            Way::File => arguments.extend(["--handoff", letter.source.to_str().unwrap()]),
            Way::Pipe => {
                arguments.extend(["--handoff", "-"]);
                stdin = Some(File::open(&letter.source).unwrap());
            }
            Way::Draft | Way::Deliver | Way::Send => {}
        }
        if round.manner == Manner::Detached {
            arguments.push("--detach");
        }
        let mut command = match &round.fault {
            Fault::DiskError { call, nth, error } if strace::obstacle().is_none() => {
                let point = Point { call: (*call).to_owned(), nth: *nth };
                let mut command =
                    strace::striking(&self.world, &point, &format!("error={error}"), &self.program);
                command.args(&arguments);
                self.at_home(&mut command);
                command
            }
            _ => self.netsky(&arguments),
        };
        if let Some(generation) = generation {
            mark(&mut command, generation);
        }
        (command, stdin)
    }

    fn strikes<'s>(
        &'s self,
        round: &'s Round,
        letter: &'s Letter,
        second: Option<&'s Letter>,
    ) -> Vec<Strike<'s>> {
        let mut strikes: Vec<Strike<'s>> = Vec::new();
        let typical = self.typical;
        let mut add = |at: Duration, act: Act<'s>| {
            strikes.push(Strike { at, act });
        };
        let at = |part: f64| typical.mul_f64(part);
        if round.way == Way::Send {
            let arguments = ["send", &letter.to, "--file", letter.source.to_str().unwrap()];
            let send = self.netsky(&arguments);
            add(at(round.sent_at), Box::new(move |carriers| carriers.push(Carrier::start(send, None))));
        }
        match &round.fault {
            Fault::Signalled { signal, at: part } => {
                add(at(*part), Box::new(move |carriers| hit(signal)(self.carrier(carriers))));
            }
            Fault::Paused { at: part, millis } => {
                let stopped = Rc::new(Cell::new(None));
                let thawed = Rc::clone(&stopped);
                let stop = move |carriers: &mut Vec<Carrier>| {
                    let pid = self.carrier(carriers);
                    stopped.set(Some(pid));
                    hit("STOP")(pid);
                };
                add(at(*part), Box::new(stop));
                let until = at(*part) + Duration::from_millis(*millis);
                add(until, Box::new(move |_| thawed.get().into_iter().for_each(hit("CONT"))));
            }
            Fault::ServerKilled { when: When::At(part) } => {
                add(at(*part), Box::new(|_| self.servers().into_iter().for_each(hit("KILL"))));
            }
            Fault::ServerFrozen { at: part, millis } => {
                add(at(*part), Box::new(|_| self.servers().into_iter().for_each(hit("STOP"))));
                let until = at(*part) + Duration::from_millis(*millis);
                add(until, Box::new(|_| self.servers().into_iter().for_each(hit("CONT"))));
            }
            Fault::SocketUnlinked { when: When::At(part) } => {
                // It may be gone because the server is just being started.
                add(at(*part), Box::new(|_| fs::remove_file(self.world.socket()).unwrap_or_default()));
            }
            Fault::AgentsKilled { agents, when: When::At(part) } => {
                add(at(*part), Box::new(|_| self.kill(agents)));
            }
            Fault::SecondRestart { at: part } => {
                let source = second.unwrap().source.to_str().unwrap();
                let restart = self.netsky(&["restart", "--handoff", source]);
                add(at(*part), Box::new(move |carriers| carriers.push(Carrier::start(restart, None))));
            }
            _ => {}
        }
        strikes
    }

    /// The process that carries the restart: a supervisor from when it has taken over.
    fn carrier(&self, carriers: &[Carrier]) -> i32 {
        let supervisors = census::supervisors(&self.world.home);
        supervisors.first().map_or(carriers[0].pid(), |supervisor| supervisor.pid)
    }

    /// What each of them was told, and whether that is one of the ends that the fault may have.
    fn judge(
        &mut self,
        round: &Round,
        letter: &Letter,
        second: Option<&Letter>,
        ended: &mut Vec<Ended>,
    ) -> Ended {
        // The restart is the first that was started; then a message, another restart, or both.
        let (mut sends, mut others): (Vec<Ended>, Vec<Ended>) =
            ended.split_off(1).into_iter().partition(|ended| ended.is_send);
        let mut restart = ended.pop().unwrap();
        if round.manner != Manner::Foreground && restart.code == 0 {
            restart.code = self.carried();
        }
        let told = |code: i32| if matches!(code, 0 | 3) { Told::Taken } else { Told::Nothing };
        match round.way {
            Way::File | Way::Pipe => self.mail.tell(&letter.text, told(restart.code)),
            // What says that a draft is of this generation may be what was broken.
            Way::Draft if matches!(round.fault, Fault::FileBroken { .. }) => {}
            Way::Draft => self.mail.tell(&letter.text, told(restart.code)),
            Way::Deliver => {}
            Way::Send => {
                let sent = sends.pop().unwrap();
                // What is broken may be what it has to read first.
                let is_kept = sent.code == 78 && matches!(round.fault, Fault::FileBroken { .. });
                if !matches!(sent.code, 0 | 69) && !is_kept {
                    self.find(Harm::Other, format!("send ended with {}: {}", sent.code, sent.stderr));
                }
                self.mail.tell(&letter.text, if is_kept { Told::Nothing } else { Told::Taken });
            }
        }
        if !round.fault.may_end_with(restart.code) {
            self.find(Harm::Other, format!("it ended with {}: {}", restart.code, restart.stderr));
        }
        let Some(second) = second else { return restart };
        let other = others.pop().unwrap();
        self.mail.tell(&second.text, told(other.code));
        if !round.fault.may_end_with(other.code) {
            self.find(Harm::Other, format!("the other one ended with {}: {}", other.code, other.stderr));
        }
        if restart.code == 75 && other.code == 75 {
            self.find(Harm::Other, "two restarts turned each other away".to_owned());
        }
        if restart.code == 75 { other } else { restart }
    }

    /// How the newest record says that a restart ended; 137 where its process was killed.
    fn carried(&self) -> i32 {
        let newest = home::records(&self.world.home).pop();
        let reading = newest.and_then(|path| Reading::of(&fs::read(path).ok()?));
        reading.and_then(|reading| reading.exit_code).unwrap_or(137)
    }
}

/// The letter of a round.
fn letter_of(course: &Course, round: &Round, way: Way, copy: &str) -> Letter {
    let Round { number, length, .. } = round;
    let line = "A line of a longer hand-over.\n";
    let text = format!("Round {number} by {way:?}{copy}\n{}", line.repeat(length / line.len()));
    let to = if way == Way::Send { round.to.clone() } else { "agent0".to_owned() };
    let source = match way {
        Way::Draft => course.world.home.join("handoff/draft/agent0.md"),
        _ => course.world.work.join(format!("text-{number}{copy}.md")),
    };
    Letter { text, way, to, source, told: Told::Nothing }
}
