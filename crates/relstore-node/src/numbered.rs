//! What JavaScript calls by its number on this thread: napi's own way from a method to its object costs as much as a small query.

/// Things by their numbers. A number is given again once its thing is taken out.
pub(crate) struct Numbered<T> {
    things: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { things: Vec::new(), free: Vec::new() }
    }
}

impl<T> Numbered<T> {
    pub(crate) fn put(&mut self, thing: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.things[number as usize] = Some(thing);
            return number;
        }
        self.things.push(Some(thing));
        self.things.len() as u32 - 1
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.things.get(number as usize)?.as_ref()
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let thing = self.things.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_things_until_that_is_taken_out() {
        let mut numbered = Numbered::default();
        let (a, b) = (numbered.put("a"), numbered.put("b"));
        assert_eq!((numbered.remove(a), numbered.remove(a), numbered.remove(99)), (Some("a"), None, None));
        let (c, d) = (numbered.put("c"), numbered.put("d"));
        assert_eq!([b, c, d].map(|number| numbered.get(number).copied()), [Some("b"), Some("c"), Some("d")]);
        assert_eq!((c, numbered.get(99)), (a, None));
    }
}
