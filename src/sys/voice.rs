//! SVOX Pico's engine, made so that it cannot be used wrongly.

use std::rc::Rc;

use ttspico::{Engine, PicoError, System, Voice};

/// What an engine computes in, in bytes: the larger voices take 1.5 MB of it.
const ROOM: usize = 8 << 20;

/// An engine that speaks with a voice: the files of its texts and of its sounds.
pub fn engine(texts: &str, sounds: &str) -> Result<Engine, PicoError> {
    let system = System::new(ROOM)?;
    let texts = System::load_resource(Rc::clone(&system), texts)?;
    let sounds = System::load_resource(Rc::clone(&system), sounds)?;
    let voice = System::create_voice(system, "voice")?;
    voice.borrow_mut().add_resource(texts)?;
    voice.borrow_mut().add_resource(sounds)?;
    // SAFETY: without both kinds of resources the engine would read what is not there; they were
    // attached above, and the voice, which the engine keeps, keeps them.
    unsafe { Voice::create_engine(voice) }
}
