//! The text files of the project, read once.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// What is not ours or not source.
const SKIPPED: [&str; 4] = ["target", ".git", "omni-data", "node_modules"];

/// The endings of files that hold text written by us.
const TEXT: [&str; 10] = ["rs", "md", "toml", "sql", "proto", "yaml", "yml", "sh", "json", "txt"];

pub(super) fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "rs")
}

/// One file: its path from the root with `/`, and its text.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// Every path of the project, and the text of the files that hold text.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    pub(super) paths: Vec<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Tree, Error> {
        let mut tree = Tree { files: Vec::new(), paths: Vec::new() };
        tree.walk(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree.paths.sort();
        Ok(tree)
    }

    /// A tree made of paths and texts.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        Tree {
            files: files
                .iter()
                .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
                .collect(),
            paths: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
        }
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Whether a file or a folder of this path exists.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.paths.iter().any(|known| known == path || known.starts_with(&folder))
    }

    /// The Rust files below a folder.
    pub(super) fn rust(&self, folder: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder) && is_rust(&file.path))
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> Result<(), Error> {
        let entries =
            fs::read_dir(folder).map_err(Error::io(format!("list {}", folder.display())))?;
        for entry in entries {
            let entry = entry.map_err(Error::io(format!("list {}", folder.display())))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().map_err(Error::io(format!("look at {path}")))?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.walk(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                self.add(&entry.path(), path)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, file: &Path, path: String) -> Result<(), Error> {
        let ending = file.extension().map(|ending| ending.to_string_lossy().into_owned());
        if ending.is_some_and(|ending| TEXT.contains(&ending.as_str())) {
            let bytes = fs::read(file).map_err(Error::io(format!("read {path}")))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            self.files.push(File { path: path.clone(), text });
        }
        self.paths.push(path);
        Ok(())
    }
}
