//! Guards a rule that the compiler cannot: a `None` must be written as NULL.

use std::{fs, path::Path};

/// diesel writes a `None` as DEFAULT unless told otherwise, which SQLite does not understand in VALUES.
#[test]
fn every_insertable_writes_none_as_null() {
    let mut insertables = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("Insertable)]") {
                let attributes = text[at..].split("struct").next().unwrap();
                assert!(
                    attributes.contains("treat_none_as_default_value = false"),
                    "{} has an Insertable without treat_none_as_default_value = false",
                    path.display()
                );
                insertables += 1;
            }
        }
    }
    assert!(insertables >= 9, "the scan found only {insertables}: does it still look right?");
}
