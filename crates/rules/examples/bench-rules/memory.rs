//! What sets of rules take in memory: by building each in a process of its own, and asking the system how much more that
//! process has then. So it is what an operator sees, with all that an allocator adds.

use std::{fs, hint::black_box, process::Command};

use crate::{adversarial, book::Book, engines::Ours, hell, live, mixed::Mixed};

pub(crate) fn measure(book: &mut Book) {
    let rules = live::RULES as f64;
    book.note("memory_bytes_per_rule", "bytes", bytes_of("mixed") / rules);
    book.note("memory_live_bytes_per_rule", "bytes", bytes_of("live") / rules);
}

/// The bytes that a set takes.
pub(crate) fn bytes_of(set: &str) -> f64 {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--weigh", set]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Builds a set and prints how many bytes it took.
pub(crate) fn weigh(set: &str) {
    // What the texts of the rules take is not counted.
    let rules = match set {
        "mixed" | "live" => Mixed::new(live::RULES, 1).rules,
        "hell" => hell::rules(),
        name => adversarial::rules(name),
    };
    let before = resident();
    if set == "live" {
        let rules = live::load(&rules);
        println!("{}", resident() - before);
        black_box(rules);
        return;
    }
    let ours = Ours::build(&rules);
    println!("{}", resident() - before);
    black_box(ours.matcher());
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap() * 4096
}
