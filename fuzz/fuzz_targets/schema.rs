//! Any bytes through [`relstore_testkit::decoders::schema`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| relstore_testkit::decoders::schema(bytes));
