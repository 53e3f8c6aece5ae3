//! The program from outside: a real `omni up` on a folder and port of its own, and the commands
//! against it.

#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

const DEFINITIONS: &str = "kind: Source\nname: shop\nspec: { provider: generic }\n---\n\
    kind: Automation\nname: paid\nspec:\n  triggerEventType: custom.order.paid\n  \
    actions:\n    - type: log\n      config: { message: \"{{ payload.total }} paid\" }\n";

fn omni() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omni"));
    for name in ["OMNI_SERVER", "OMNI_ORG", "OMNI_DATABASE_URL", "OMNI_LISTEN", "OMNI_LOG"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// A running server; killed when dropped.
struct Up {
    child: Child,
    stdout: BufReader<Box<dyn Read>>,
    url: String,
}

impl Up {
    fn start(folder: &Path) -> Self {
        let mut child = omni()
            .args(["up", "--data-dir", "data", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .env("OMNI_EGRESS_ALLOW_LOOPBACK", "true")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("omni starts");
        let stdout: Box<dyn Read> = Box::new(child.stdout.take().expect("stdout is piped"));
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line).expect("omni says when it is ready");
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.expect("the line names the address").to_owned();
        Self { child, stdout, url }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        omni().env("OMNI_SERVER", &self.url).args(arguments).output().expect("omni runs")
    }

    /// The output of a command that must succeed.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// The message of a command that must end with this code.
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).expect("output is UTF-8")
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("omni ends")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_rule_is_applied_triggered_and_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("defs.yaml");
    std::fs::write(&file, DEFINITIONS).expect("written");
    let file = file.to_str().expect("UTF-8");
    let up = Up::start(folder.path());

    assert_eq!(up.ok(&["apply", "-f", file]), "source/shop created\nautomation/paid created\n");
    assert_eq!(up.ok(&["apply", "-f", file]), "source/shop unchanged\nautomation/paid unchanged\n");
    std::fs::write(file, DEFINITIONS.replace("}} paid", "}} came in")).expect("written");
    assert_eq!(up.ok(&["apply", "-f", file]), "source/shop unchanged\nautomation/paid updated\n");
    assert!(up.ok(&["automation", "get", "paid"]).contains("came in"));

    let payload = r#"{"total":12.50}"#;
    let create = ["event", "create", "--type", "custom.order.paid", "--payload", payload];
    let created = up.ok(&[&create[..], &["--output", "json"]].concat());
    let created: serde_json::Value = serde_json::from_str(&created).expect("JSON");
    let id = created["eventId"].as_str().expect("an event id");
    assert!(up.ok(&["event", "get", id, "-o", "json"]).contains(payload), "payload as it was sent");

    let execution = loop {
        let list = up.ok(&["execution", "list", "--event", id, "-o", "json"]);
        let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
        if let Some(execution) = list["items"][0]["id"].as_str() {
            break execution.to_owned();
        }
    };
    let told = up.ok(&["execution", "get", &execution]);
    assert!(told.contains("1. log success, once"), "{told}");
    assert!(told.contains(r#"{"logged":"12.5 came in"}"#), "{told}");

    assert!(up.ok(&["event", "list", "--type", "custom.order.*"]).contains(id));
    assert!(up.ok(&["source", "list"]).starts_with("NAME"));
    assert!(up.ok(&["automation", "disable", "paid"]).contains("automation/paid disabled"));
    assert!(up.ok(&["stats", "-o", "yaml"]).contains("automationsEnabled: 0"));
}

#[test]
fn refusals_have_their_exit_codes_and_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let up = Up::start(folder.path());
    assert!(up.refused(3, &["source", "get", "nope"]).contains("nope"));
    assert!(up.refused(3, &["automation", "get", "nope"]).contains("omni automation list"));
    let told = up.refused(4, &["event", "create", "--type", "nope", "--payload", "1"]);
    assert!(told.contains("/eventType: "), "{told}");
    assert!(
        up.refused(2, &["event", "create", "--type", "custom.a", "--payload", "{"])
            .contains("JSON")
    );
    assert!(up.refused(2, &["event", "frobnicate"]).contains("Usage"));
    let away = up.refused(1, &["stats", "--server", "http://127.0.0.1:1"]);
    assert!(away.contains("is `omni up` running?"), "{away}");
}

#[test]
fn a_refused_document_is_named_and_the_others_are_applied() {
    let folder = tempfile::tempdir().expect("a folder");
    let up = Up::start(folder.path());
    let file = folder.path().join("defs.yaml");
    let bad = "kind: Automation\nname: bad\nspec:\n  triggerEventType: custom.a\n  actions:\n    \
               - { type: webhook, config: { url: not a url } }\n---\n";
    std::fs::write(&file, format!("{bad}{DEFINITIONS}")).expect("written");
    let output = up.run(&["apply", "-f", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let (told, done) =
        (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(told.contains("defs.yaml, document 1 (automation/bad)"), "{told}");
    assert!(told.contains("/actions/0/config/url: "), "{told}");
    assert_eq!(done, "source/shop created\nautomation/paid created\n");

    std::fs::write(&file, format!("{DEFINITIONS}---\nkind: [\n")).expect("written");
    let told = up.refused(4, &["apply", "-f", file.to_str().expect("UTF-8")]);
    assert!(told.contains("document 3: no YAML"), "{told}");
}

#[test]
fn tail_follows_from_now_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let up = Up::start(folder.path());
    let create = |n: u32| {
        up.ok(&["event", "create", "--type", "custom.a", "--payload", &n.to_string()]);
    };
    (1..=5).for_each(create);
    let mut tail = omni()
        .args(["--server", &up.url, "event", "tail", "--type", "custom.>", "-o", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("omni runs");
    let mut lines = BufReader::new(tail.stdout.take().expect("stdout is piped")).lines();
    // It is not known when it has begun to follow, so events are sent until one is seen.
    let (seen, first) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut payloads = Vec::new();
        while payloads.len() < 3 {
            let line = lines.next().expect("a line").expect("readable");
            let event: serde_json::Value = serde_json::from_str(&line).expect("one JSON a line");
            payloads.push(event["payload"].as_u64().expect("a number"));
            let _ = seen.send(());
        }
        payloads
    });
    let mut next = 6;
    while first.try_recv().is_err() {
        create(next);
        next += 1;
    }
    (next..next + 3).for_each(create);
    let payloads = reader.join().expect("three events were seen");
    tail.kill().expect("killed");
    tail.wait().expect("ended");
    assert!(payloads[0] > 5, "nothing from before: {payloads:?}");
    assert!(payloads.windows(2).all(|pair| pair[1] == pair[0] + 1), "no gap: {payloads:?}");
}

#[test]
fn sigterm_drains_and_the_data_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut up = Up::start(folder.path());
    up.ok(&["event", "create", "--type", "custom.a", "--payload", "1"]);
    up.signal("-TERM");
    assert!(up.wait().success());
    let mut rest = String::new();
    up.stdout.read_to_string(&mut rest).expect("readable");
    let mut again = Up::start(folder.path());
    assert!(again.ok(&["event", "list"]).contains("custom.a"));
    again.signal("-INT");
    assert!(again.wait().success());
}

#[test]
fn a_second_signal_ends_a_drain_that_hangs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut up = Up::start(folder.path());
    // Accepts and never answers, so the action cannot end.
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", receiver.local_addr().expect("an address"));
    let file = folder.path().join("hang.yaml");
    let rule = format!(
        "kind: Automation\nname: hang\nspec:\n  triggerEventType: custom.a\n  \
         actions: [{{ type: webhook, config: {{ url: '{url}' }} }}]\n"
    );
    std::fs::write(&file, rule).expect("written");
    up.ok(&["apply", "-f", file.to_str().expect("UTF-8")]);
    up.ok(&["event", "create", "--type", "custom.a", "--payload", "1"]);
    let (_open, _) = receiver.accept().expect("the action has begun");
    let status = loop {
        match up.child.try_wait().expect("asked") {
            Some(status) => break status,
            None => up.signal("-TERM"),
        }
    };
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_second_server_on_one_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let _up = Up::start(folder.path());
    let second = omni()
        .args(["up", "--data-dir", "data", "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .output()
        .expect("omni runs");
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use"), "{second:?}");
}

#[test]
fn the_demo_tells_its_story_again_and_again() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let demo = omni()
            .args(["up", "--demo", "--demo-exit", "--data-dir", "data", "--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .output()
            .expect("omni runs");
        let told = String::from_utf8_lossy(&demo.stdout);
        assert!(demo.status.success(), "{demo:?}");
        for part in [
            "✓ payload.ref eq",
            "✗ payload.ref startsWith",
            "1. log success",
            "2. emit_event success",
            "3. webhook success",
            "idempotency-key: ",
            "custom.demo.main-pushed",
            "From the request to the last effect",
        ] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
    }
}

#[test]
fn what_is_captured_is_ruled_from_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let up = Up::start(folder.path());
    up.ok(&["capture", "policy", "set", "custom.webhook.>", "--forever", "--stage", "error"]);
    let listed = up.ok(&["capture", "policy", "list"]);
    assert!(listed.contains("custom.webhook.>") && listed.contains("for ever"), "{listed}");
    let report = up.ok(&["capture", "expire", "--dry-run", "--at", "2100-01-01T00:00:00Z"]);
    assert!(report.contains("nothing has expired"), "{report}");
    up.ok(&["capture", "policy", "delete", "custom.webhook.>"]);
    up.refused(3, &["capture", "policy", "delete", "custom.webhook.>"]);
    up.refused(4, &["capture", "policy", "set", "nonsense"]);
    up.refused(2, &["capture", "expire", "--at", "2100-01-01T00:00:00Z"]);

    let created = ["event", "create", "--type", "custom.x", "--payload", r#"{"n":"canary"}"#];
    let created = up.ok(&created);
    let id = created.split_whitespace().nth(1).expect("the id is told");
    assert!(up.ok(&["event", "payloads", id]).contains("nothing yet"));
    up.refused(2, &["event", "expunge", id]);
    up.ok(&["event", "expunge", id, "--reason", "asked for"]);
    let event = up.ok(&["event", "get", id]);
    assert!(event.contains("asked for") && !event.contains("canary"), "{event}");
}
