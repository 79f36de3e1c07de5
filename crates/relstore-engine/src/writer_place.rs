//! Where the writer is while nobody writes. Whoever writes takes it out and puts it back, so that a transaction can own it from one call to
//! the next, and move between threads with it.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::writer::Writer;

/// The place of a store's one writer.
pub(crate) struct WriterPlace {
    place: Mutex<Place>,
    is_back: Condvar,
}

struct Place {
    writer: Option<Box<Writer>>,
    /// It goes to whoever waits in [`WriterPlace::lock_within`] next, however many others want it.
    is_reserved: bool,
}

impl WriterPlace {
    pub(crate) fn new(writer: Writer) -> Self {
        Self { place: Mutex::new(Place { writer: Some(Box::new(writer)), is_reserved: false }), is_back: Condvar::new() }
    }

    /// Nothing panics while it holds this lock.
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the writer, waiting for it.
    pub(crate) fn take(&self) -> Box<Writer> {
        let mut place = self.place();
        loop {
            let free = if place.is_reserved { None } else { place.writer.take() };
            match free {
                Some(writer) => return writer,
                None => place = self.is_back.wait(place).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// The writer, before anybody else who wants it now, if it comes back in so long. One thread at a time asks so.
    pub(crate) fn lock_within(&self, wait: Duration) -> Option<WriterGuard<'_>> {
        let mut place = self.place();
        place.is_reserved = true;
        let (mut place, _) =
            self.is_back.wait_timeout_while(place, wait, |place| place.writer.is_none()).unwrap_or_else(PoisonError::into_inner);
        place.is_reserved = false;
        let writer = place.writer.take();
        if writer.is_none() {
            // Somebody may have been passed over for this.
            self.is_back.notify_all();
        }
        writer.map(|writer| WriterGuard { place: self, writer: Some(writer) })
    }

    /// Takes the writer if it is there.
    pub(crate) fn try_take(&self) -> Option<Box<Writer>> {
        let mut place = self.place();
        if place.is_reserved { None } else { place.writer.take() }
    }

    /// Puts the writer back.
    pub(crate) fn put(&self, writer: Box<Writer>) {
        let mut place = self.place();
        place.writer = Some(writer);
        let is_reserved = place.is_reserved;
        drop(place);
        // The one it is for may not be the one that would be woken.
        if is_reserved { self.is_back.notify_all() } else { self.is_back.notify_one() }
    }

    pub(crate) fn lock(&self) -> WriterGuard<'_> {
        WriterGuard { place: self, writer: Some(self.take()) }
    }

    pub(crate) fn try_lock(&self) -> Option<WriterGuard<'_>> {
        self.try_take().map(|writer| WriterGuard { place: self, writer: Some(writer) })
    }
}

/// The writer, taken out for as long as this lives. A panic in a transaction's body has rolled back on its way out, so that what goes back is
/// whole.
pub(crate) struct WriterGuard<'a> {
    place: &'a WriterPlace,
    writer: Option<Box<Writer>>,
}

const HELD: &str = "a guard has the writer until it is dropped";

impl Deref for WriterGuard<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        self.writer.as_deref().expect(HELD)
    }
}

impl DerefMut for WriterGuard<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        self.writer.as_deref_mut().expect(HELD)
    }
}

impl Drop for WriterGuard<'_> {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.place.put(writer);
        }
    }
}
