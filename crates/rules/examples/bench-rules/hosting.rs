//! Events as a code host sends them about pushes, issues and pull requests.

use std::fmt::Write as _;

use fastrand::Rng;

use crate::words;

/// What is asked for: the path, and out of how many texts its value is; 0 for a number, 1 for a boolean.
pub(crate) const ASKED: [(&str, usize); 40] = [
    ("action", 8),
    ("number", 0),
    ("ref", 50),
    ("before", 100_000),
    ("forced", 1),
    ("issue.number", 0),
    ("issue.title", 5000),
    ("issue.state", 2),
    ("issue.locked", 1),
    ("issue.comments", 0),
    ("issue.user.login", 1000),
    ("issue.user.type", 3),
    ("issue.labels.name", 30),
    ("issue.labels.color", 30),
    ("issue.author_association", 5),
    ("pull_request.number", 0),
    ("pull_request.title", 5000),
    ("pull_request.state", 2),
    ("pull_request.draft", 1),
    ("pull_request.merged", 1),
    ("pull_request.additions", 0),
    ("pull_request.changed_files", 0),
    ("pull_request.user.login", 1000),
    ("pull_request.user.site_admin", 1),
    ("pull_request.labels.name", 30),
    ("pull_request.base.ref", 50),
    ("pull_request.base.repo.full_name", 500),
    ("pull_request.head.ref", 50),
    ("pull_request.head.repo.full_name", 500),
    ("pull_request.author_association", 5),
    ("commits.author.username", 1000),
    ("commits.message", 5000),
    ("commits.added", 2000),
    ("repository.full_name", 500),
    ("repository.private", 1),
    ("repository.default_branch", 50),
    ("repository.language", 10),
    ("repository.owner.login", 1000),
    ("repository.stargazers_count", 0),
    ("sender.login", 1000),
];

/// A value as events have it at this path; always the same `count` values.
pub(crate) fn text(rng: &mut Rng, path: &str, count: usize) -> String {
    let name = path.rsplit('.').next().unwrap_or_default();
    let number = words::skewed(rng, count);
    let mut of = Rng::with_seed(number as u64 * 31 + name.len() as u64);
    match name {
        "full_name" => format!("{}/{}", words::word(&mut of, 7), words::word(&mut of, 12)),
        "title" | "message" => {
            let words: Vec<_> = (0..6).map(|_| words::word(&mut of, 6)).collect();
            words.join(" ")
        }
        "before" => format!("{:016x}{:016x}{:08x}", of.u64(..), of.u64(..), of.u32(..)),
        "added" => format!("src/{}/{}.rs", words::word(&mut of, 5), words::word(&mut of, 8)),
        _ => words::word(&mut of, 9),
    }
}

/// Members of an object, in the order in which they are written.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn raw(mut self, name: &str, value: &str) -> Self {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}\"{name}\":{value}");
        self
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.raw(name, &format!("\"{value}\""))
    }

    fn some(self, rng: &mut Rng, name: &str, path: &str) -> Self {
        let (_, count) = ASKED.iter().find(|(asked, _)| *asked == path).unwrap();
        match count {
            0 => self.raw(name, &rng.u32(..1000).to_string()),
            1 => self.raw(name, if rng.bool() { "true" } else { "false" }),
            _ => self.text(name, &text(rng, path, *count)),
        }
    }

    fn urls(mut self, base: &str, names: &[&str]) -> Self {
        for name in names {
            self = self.text(
                name,
                &format!(
                    "https://api.example.com/{base}/{}{{/other}}",
                    name.trim_end_matches("_url")
                ),
            );
        }
        self
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn user(rng: &mut Rng, path: &str) -> String {
    let names = [
        "avatar_url",
        "url",
        "html_url",
        "followers_url",
        "following_url",
        "gists_url",
        "starred_url",
        "subscriptions_url",
        "organizations_url",
        "repos_url",
        "events_url",
        "received_events_url",
    ];
    let object = Object::new().some(rng, "login", path).raw("id", &rng.u32(..).to_string());
    let object = object.text("node_id", "MDQ6VXNlcjIxMDMxMDY3").urls("users/codertocat", &names);
    object.text("type", "User").raw("site_admin", "false").end()
}

fn repository(rng: &mut Rng, path: &str) -> String {
    let names = [
        "html_url",
        "url",
        "forks_url",
        "keys_url",
        "collaborators_url",
        "teams_url",
        "hooks_url",
        "issue_events_url",
        "events_url",
        "assignees_url",
        "branches_url",
        "tags_url",
        "blobs_url",
        "git_tags_url",
        "git_refs_url",
        "trees_url",
        "statuses_url",
        "languages_url",
        "stargazers_url",
        "contributors_url",
        "subscribers_url",
        "subscription_url",
        "commits_url",
        "git_commits_url",
        "comments_url",
        "issue_comment_url",
        "contents_url",
        "compare_url",
        "merges_url",
        "archive_url",
        "downloads_url",
        "issues_url",
        "pulls_url",
        "milestones_url",
        "notifications_url",
        "labels_url",
        "releases_url",
        "deployments_url",
        "git_url",
        "ssh_url",
        "clone_url",
        "svn_url",
    ];
    let object = Object::new().raw("id", &rng.u32(..).to_string()).text("name", "hello-world");
    let object = object.some(rng, "full_name", path).some(rng, "private", "repository.private");
    let object =
        object.raw("owner", &user(rng, "repository.owner.login")).raw("description", "null");
    let object = object.urls("repos/codertocat/hello-world", &names);
    let object = object.text("created_at", "2019-05-15T15:19:25Z").raw("homepage", "null");
    let object = object.some(rng, "stargazers_count", "repository.stargazers_count");
    let object = object.some(rng, "language", "repository.language").raw("has_issues", "true");
    object.raw("license", "null").some(rng, "default_branch", "repository.default_branch").end()
}

fn labels(rng: &mut Rng, path: &str) -> String {
    let label = |rng: &mut Rng| {
        let object = Object::new().raw("id", &rng.u32(..).to_string()).urls("labels", &["url"]);
        object
            .some(rng, "name", path)
            .some(rng, "color", "issue.labels.color")
            .raw("default", "true")
            .end()
    };
    let labels: Vec<_> = (0..rng.usize(..4)).map(|_| label(rng)).collect();
    format!("[{}]", labels.join(","))
}

/// A text of a few paragraphs, with what has to be escaped.
fn body(rng: &mut Rng) -> String {
    let sentence = |rng: &mut Rng| {
        let words: Vec<_> = (0..9).map(|_| words::word(rng, 5)).collect();
        format!("{} \\\"{}\\\".\\r\\n", words.join(" "), words::word(rng, 8))
    };
    (0..words::tail(rng, 12.0, 150)).map(|_| sentence(rng)).collect()
}

pub(crate) fn event(rng: &mut Rng) -> String {
    let object = Object::new();
    let object = match rng.u32(..3) {
        0 => {
            let commits: Vec<_> = (0..=words::tail(rng, 6.0, 30)).map(|_| commit(rng)).collect();
            let object = object.some(rng, "ref", "ref").some(rng, "before", "before");
            object.some(rng, "forced", "forced").raw("commits", &format!("[{}]", commits.join(",")))
        }
        1 => object.some(rng, "action", "action").raw("issue", &issue(rng)),
        _ => {
            let object = object.some(rng, "action", "action").some(rng, "number", "number");
            object.raw("pull_request", &pull_request(rng))
        }
    };
    let object = object.raw("repository", &repository(rng, "repository.full_name"));
    object.raw("sender", &user(rng, "sender.login")).end()
}

fn issue(rng: &mut Rng) -> String {
    let object = Object::new().urls(
        "issues",
        &["url", "repository_url", "labels_url", "comments_url", "events_url", "html_url"],
    );
    let object = object.some(rng, "number", "issue.number").some(rng, "title", "issue.title");
    let object = object
        .raw("user", &user(rng, "issue.user.login"))
        .raw("labels", &labels(rng, "issue.labels.name"));
    let object = object
        .some(rng, "state", "issue.state")
        .some(rng, "locked", "issue.locked")
        .raw("assignee", "null");
    let object = object.some(rng, "comments", "issue.comments").some(
        rng,
        "author_association",
        "issue.author_association",
    );
    object.text("body", &body(rng)).end()
}

fn pull_request(rng: &mut Rng) -> String {
    let side = |rng: &mut Rng, branch: &str, repo: &str| {
        let object = Object::new().text("label", "codertocat:changes").some(rng, "ref", branch);
        let object = object.text("sha", "ec26c3e57ca3a959ca5aad62de7213c562f8c821");
        object.raw("user", &user(rng, "sender.login")).raw("repo", &repository(rng, repo)).end()
    };
    let object =
        Object::new().urls("pulls", &["url", "html_url", "diff_url", "patch_url", "issue_url"]);
    let object =
        object.some(rng, "number", "pull_request.number").some(rng, "state", "pull_request.state");
    let object = object
        .some(rng, "title", "pull_request.title")
        .raw("user", &user(rng, "pull_request.user.login"));
    let object =
        object.text("body", &body(rng)).raw("labels", &labels(rng, "pull_request.labels.name"));
    let object = object.some(rng, "draft", "pull_request.draft");
    let object =
        object.raw("head", &side(rng, "pull_request.head.ref", "pull_request.head.repo.full_name"));
    let object =
        object.raw("base", &side(rng, "pull_request.base.ref", "pull_request.base.repo.full_name"));
    let object = object.some(rng, "author_association", "pull_request.author_association");
    let object = object.some(rng, "merged", "pull_request.merged").some(
        rng,
        "additions",
        "pull_request.additions",
    );
    object.some(rng, "changed_files", "pull_request.changed_files").end()
}

fn commit(rng: &mut Rng) -> String {
    let author = |rng: &mut Rng| {
        let object = Object::new().text("name", "Codertocat").text("email", "someone@example.com");
        object.some(rng, "username", "commits.author.username").end()
    };
    let files: Vec<_> =
        (0..rng.usize(..5)).map(|_| format!("\"{}\"", text(rng, "commits.added", 2000))).collect();
    let object = Object::new().some(rng, "id", "before").raw("distinct", "true");
    let object =
        object.some(rng, "message", "commits.message").text("timestamp", "2019-05-15T15:20:33Z");
    let object = object.raw("author", &author(rng)).raw("committer", &author(rng));
    object.raw("added", &format!("[{}]", files.join(","))).raw("removed", "[]").end()
}
