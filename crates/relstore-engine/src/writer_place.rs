//! Where the writer is while nobody writes. Whoever writes takes it out and puts it back, so that a transaction can own it from one call to
//! the next, and move between threads with it.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::writer::Writer;

/// The place of a store's one writer.
pub(crate) struct WriterPlace {
    writer: Mutex<Option<Box<Writer>>>,
    is_back: Condvar,
}

impl WriterPlace {
    pub(crate) fn new(writer: Writer) -> Self {
        Self { writer: Mutex::new(Some(Box::new(writer))), is_back: Condvar::new() }
    }

    /// Takes the writer, waiting for it.
    pub(crate) fn take(&self) -> Box<Writer> {
        // Nothing panics while it holds this lock.
        let mut place = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match place.take() {
                Some(writer) => return writer,
                None => place = self.is_back.wait(place).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Takes the writer if it is there.
    pub(crate) fn try_take(&self) -> Option<Box<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts the writer back.
    pub(crate) fn put(&self, writer: Box<Writer>) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        self.is_back.notify_one();
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
