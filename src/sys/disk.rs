//! How much room is left on a disk.

use std::{ffi::CString, io, mem::MaybeUninit, os::unix::ffi::OsStrExt, path::Path};

/// Bytes that may still be written to the file system `path` lies on, without being root.
pub fn free(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut room = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends in a zero byte and `room` is as large as the call asks for.
    if unsafe { libc::statvfs(path.as_ptr(), room.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled the structure in.
    let room = unsafe { room.assume_init() };
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}
