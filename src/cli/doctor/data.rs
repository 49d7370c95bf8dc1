//! The data folder, and files that nobody else should read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{finding::Finding, scene::Scene};
use crate::{
    config::Config,
    sys::{disk, process},
};

/// Beyond the reserve there should be at least this much room, in MiB: some hours of speech.
const COMFORT_MIB: u64 = 512;

/// Whether the data folder can be written to, is private, and has room.
pub(super) async fn folder(scene: &Scene) -> Vec<Finding> {
    let Some(data) = scene.data() else {
        let data = scene.config.data.display();
        let found = format!("There is no data folder {data} yet; the first start makes it.");
        let remedy = "If a server has run before, name its folder in the setting `data`.";
        return vec![Finding::warn(found, remedy)];
    };
    let (data, reserve) = (data.to_owned(), scene.config.disk_reserve_mib);
    let looking = tokio::task::spawn_blocking(move || look(&data, reserve));
    looking.await.unwrap_or_else(|error| vec![Finding::error(error, "Try it again.")])
}

fn look(data: &Path, reserve: u64) -> Vec<Finding> {
    let shown = data.display();
    if let Err(error) = try_out(data) {
        let found = format!("Nothing can be written to {shown}: {error}.");
        return vec![Finding::fail(
            found,
            format!("Give the folder to the server's user: chown -R afterbeep {shown}"),
        )];
    }
    let mut found = Vec::new();
    match fs::metadata(data) {
        Err(error) => found.push(Finding::error(error, format!("See who may look at {shown}."))),
        Ok(it) if it.uid() != process::user() => found.push(Finding::warn(
            format!("{shown} belongs to user {}, and you are {}.", it.uid(), process::user()),
            "Say it as the server's user, who may do less: sudo -u afterbeep afterbeep doctor",
        )),
        Ok(it) if it.mode() & 0o077 != 0 => found.push(Finding::warn(
            format!("{shown} is open to others (mode {:o}).", it.mode() & 0o777),
            format!("chmod 700 {shown}"),
        )),
        Ok(_) => {}
    }
    let room = match disk::free(data) {
        Ok(free) => room(free >> 20, reserve),
        Err(error) => Finding::error(error, "See the file system of the data folder."),
    };
    found.push(room);
    found
}

fn room(free: u64, reserve: u64) -> Finding {
    let remedy = "Make room, or see `disk_reserve_mib`.";
    if free < reserve {
        let found = format!("New calls are refused: {free} MiB are left, {reserve} MiB are kept.");
        Finding::fail(found, remedy)
    } else if free - reserve < COMFORT_MIB {
        let found = format!("Only {} MiB are left for messages.", free - reserve);
        Finding::warn(found, remedy)
    } else {
        Finding::ok(format!("It can be written to and synced, and has {free} MiB left."))
    }
}

/// Writes a file as the spool would, and takes it away.
fn try_out(data: &Path) -> io::Result<()> {
    let trial = data.join(format!(".doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&trial)?;
    let written = file.write_all(&[0; 4_096]).and_then(|()| file.sync_all());
    fs::remove_file(&trial)?;
    written?;
    File::open(data)?.sync_all()
}

/// Whether files with passwords in them are there and nobody else can read them.
pub(super) fn secrets(config: &Config) -> Vec<Finding> {
    let files = secret_files(config);
    let found: Vec<_> = files.iter().filter_map(|it| secret(it)).collect();
    match (files.len(), found.is_empty()) {
        (0, _) => vec![Finding::ok("No files with passwords are named.")],
        (count, true) => {
            vec![Finding::ok(format!(
                "{count} file(s) with passwords, readable by their owner only."
            ))]
        }
        _ => found,
    }
}

fn secret(path: &Path) -> Option<Finding> {
    let shown = path.display();
    match File::open(path).and_then(|it| it.metadata()) {
        Err(error) => Some(Finding::fail(
            format!("{shown} cannot be read: {error}."),
            "Put it there for the server's user, with mode 600.",
        )),
        Ok(it) if it.mode() & 0o077 != 0 => Some(Finding::warn(
            format!("{shown} can be read by others (mode {:o}).", it.mode() & 0o777),
            format!("chmod 600 {shown}"),
        )),
        Ok(_) => None,
    }
}

fn secret_files(config: &Config) -> Vec<PathBuf> {
    let accounts = config.sip.accounts.iter().map(|it| &it.password_file);
    let logins = config.sip.register.iter().map(|it| &it.password_file);
    let others = [
        config.mail.server.as_ref().and_then(|it| it.password_file.as_ref()),
        config.store.password_file.as_ref(),
        config.blobs.secret_key_file.as_ref(),
        config.speech.remote.as_ref().and_then(|it| it.key_file.as_ref()),
        config.translation.key_file.as_ref(),
    ];
    accounts.chain(logins).chain(others.into_iter().flatten()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    #[test]
    fn room_is_judged_by_what_is_kept_in_reserve() {
        for (free, verdict) in
            [(255, Verdict::Fail), (256, Verdict::Warn), (767, Verdict::Warn), (768, Verdict::Ok)]
        {
            assert_eq!(room(free, 256).verdict, verdict, "{free}");
        }
    }
}
