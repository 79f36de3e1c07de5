//! Any bytes through [`relstore_testkit::decoders::sealed_segment`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| relstore_testkit::decoders::sealed_segment(bytes));
