//! Typing what nobody is to see.

use std::io;

/// Does this while what is typed on standard input does not show, if that is a terminal.
pub fn unseen<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    // SAFETY: the structure is plain numbers, written by `tcgetattr` before it is read.
    let mut before: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: `before` outlives the call.
    if unsafe { libc::tcgetattr(libc::STDIN_FILENO, &raw mut before) } != 0 {
        // Not a terminal: nothing shows.
        return Ok(work());
    }
    let mut quiet = before;
    quiet.c_lflag &= !libc::ECHO;
    set(&quiet)?;
    let done = work();
    set(&before)?;
    Ok(done)
}

fn set(mode: &libc::termios) -> io::Result<()> {
    // SAFETY: `mode` is a whole structure and outlives the call.
    match unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, mode) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
