//! The data directory: made, locked against a second process, and holding the key that seals secrets.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use omni_crypto::{Sealer, Secret};

use crate::{Config, Error};

/// The data directory while this process owns it; the lock ends with this value, also after kill -9.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if needed and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        std::fs::create_dir_all(path).map_err(failed(path))?;
        let lock_path = path.join("omni.lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                let owner = Some(pid.trim()).filter(|pid| !pid.is_empty());
                let owner = owner.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                return Err(Error::Locked { path: path.to_owned(), owner });
            }
            Err(TryLockError::Error(source)) => return Err(failed(&lock_path)(source)),
        }
        lock.set_len(0).map_err(failed(&lock_path))?;
        lock.rewind().map_err(failed(&lock_path))?;
        writeln!(lock, "{}", std::process::id()).map_err(failed(&lock_path))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The sealer for secrets, with the configured key or one that is generated once and kept here.
    pub(crate) fn sealer(&self, config: &Config) -> Result<Sealer, Error> {
        let (origin, text) = match &config.master_key {
            Some(key) => ("OMNI_MASTER_KEY".to_owned(), key.expose().to_owned()),
            None => self.generated_key()?,
        };
        let wrong = || Error::Config {
            origin: origin.clone(),
            reason: "the master key must be 32 bytes in hex (64 digits)".to_owned(),
        };
        let bytes = hex::decode(text.trim()).map_err(|_| wrong())?;
        Sealer::new(&Secret::from(bytes)).map_err(|_| wrong())
    }

    fn generated_key(&self) -> Result<(String, String), Error> {
        let path = self.path.join("master.key");
        let failed = |source| Error::File { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(mut file) => {
                let key = hex::encode(omni_crypto::random_key()?.expose());
                writeln!(file, "{key}").and_then(|()| file.sync_all()).map_err(failed)?;
                Ok((path.display().to_string(), key))
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let key = std::fs::read_to_string(&path).map_err(failed)?;
                Ok((path.display().to_string(), key))
            }
            Err(source) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let error = DataDir::open(dir.path()).unwrap_err();
        let pid = std::process::id().to_string();
        assert!(error.to_string().contains(&pid), "{error}");
        drop(first);
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn the_generated_key_stays() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        let first = data.generated_key().unwrap().1;
        assert_eq!(data.generated_key().unwrap().1.trim(), first.trim());
        let wrong = Config { master_key: Some("short".to_owned().into()), ..Config::default() };
        assert!(data.sealer(&wrong).is_err());
    }
}
