//! Iceberg's storage over the one bucket: no second client, no second set of credentials.
//!
//! Locations (`file:///srv/lake/users/data/….parquet`) come in, objects of the bucket are read and written. A write is
//! [`Bucket::put_new`]: durable, and never over an object that exists, which Iceberg's files never ask for. A location outside of the
//! bucket is refused.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig, StorageFactory,
};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use relstore_cdc::bucket::{Bucket, from_object_store};
use relstore_model::{Error, ErrorKind};
use serde::{Serialize, Serializer};

use crate::error::to_iceberg;

/// A file reader and writer for Iceberg over `bucket`.
#[must_use]
pub(crate) fn file_io(bucket: &Bucket) -> FileIO {
    FileIOBuilder::new(Arc::new(BucketStorage { bucket: bucket.clone() })).build()
}

/// The location that Iceberg knows the object at `path` by.
#[must_use]
pub(crate) fn location(bucket: &Bucket, path: &str) -> String {
    let root = bucket.root_url();
    if root.ends_with('/') { format!("{root}{path}") } else { format!("{root}/{path}") }
}

/// The bucket as Iceberg's storage, and as the factory of itself.
#[derive(Clone, Debug)]
struct BucketStorage {
    bucket: Bucket,
}

impl BucketStorage {
    fn path<'a>(&self, location: &'a str) -> iceberg::Result<&'a str> {
        let root = self.bucket.root_url();
        let below = location.strip_prefix(root.trim_end_matches('/')).filter(|rest| rest.starts_with('/'));
        below
            .map(|path| path.trim_start_matches('/'))
            .ok_or_else(|| to_iceberg(Error::invalid("a location outside of the bucket").with("location", location).with("bucket", root)))
    }

    fn object(&self, location: &str) -> iceberg::Result<ObjectPath> {
        let path = self.path(location)?;
        ObjectPath::parse(path).map_err(|e| to_iceberg(Error::invalid("not a path in a bucket").with("path", path).with_source(e)))
    }
}

/// The bucket holds a connection, so only its address can be written down. Iceberg asks for this so that a plan can travel; ours
/// travel by the table's metadata location instead.
impl Serialize for BucketStorage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.bucket.root_url())
    }
}

#[async_trait]
impl Storage for BucketStorage {
    async fn exists(&self, path: &str) -> iceberg::Result<bool> {
        self.bucket.exists(self.path(path)?).await.map_err(to_iceberg)
    }

    async fn metadata(&self, path: &str) -> iceberg::Result<FileMetadata> {
        let meta = self.bucket.object_store().head(&self.object(path)?).await;
        Ok(FileMetadata { size: meta.map_err(|e| to_iceberg(from_object_store(e, path)))?.size })
    }

    async fn read(&self, path: &str) -> iceberg::Result<Bytes> {
        self.bucket.get(self.path(path)?).await.map_err(to_iceberg)
    }

    async fn reader(&self, path: &str) -> iceberg::Result<Box<dyn FileRead>> {
        Ok(Box::new(ObjectReader { store: self.bucket.object_store(), object: self.object(path)? }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> iceberg::Result<()> {
        self.bucket.put_new(self.path(path)?, bytes).await.map_err(to_iceberg)
    }

    async fn writer(&self, path: &str) -> iceberg::Result<Box<dyn FileWrite>> {
        Ok(Box::new(ObjectWriter { bucket: self.bucket.clone(), path: self.path(path)?.to_owned(), buffer: Some(BytesMut::new()) }))
    }

    async fn delete(&self, path: &str) -> iceberg::Result<()> {
        self.bucket.delete(self.path(path)?).await.map_err(to_iceberg)
    }

    async fn delete_prefix(&self, path: &str) -> iceberg::Result<()> {
        for entry in self.bucket.list(self.path(path)?).await.map_err(to_iceberg)? {
            self.bucket.delete(&entry.path).await.map_err(to_iceberg)?;
        }
        Ok(())
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> iceberg::Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> iceberg::Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> iceberg::Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    // The next two are what `#[typetag::serde]` would add. It would also register a way to read a storage back, which there is none of.
    fn typetag_name(&self) -> &'static str {
        "RelationalStoreBucket"
    }

    fn typetag_deserialize(&self) {}
}

impl StorageFactory for BucketStorage {
    fn build(&self, _config: &StorageConfig) -> iceberg::Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }

    fn typetag_name(&self) -> &'static str {
        "RelationalStoreBucketFactory"
    }

    fn typetag_deserialize(&self) {}
}

struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    object: ObjectPath,
}

#[async_trait]
impl FileRead for ObjectReader {
    async fn read(&self, range: Range<u64>) -> iceberg::Result<Bytes> {
        let read = self.store.get_range(&self.object, range).await;
        read.map_err(|e| to_iceberg(from_object_store(e, self.object.as_ref())))
    }
}

/// Gathers a file and puts it whole when it is closed: an object appears complete or not at all. A file is at most some tens of
/// megabytes, because the archive splits what is larger.
struct ObjectWriter {
    bucket: Bucket,
    path: String,
    buffer: Option<BytesMut>,
}

#[async_trait]
impl FileWrite for ObjectWriter {
    async fn write(&mut self, bytes: Bytes) -> iceberg::Result<()> {
        let buffer = self.buffer.as_mut().ok_or_else(closed)?;
        buffer.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> iceberg::Result<()> {
        let buffer = self.buffer.take().ok_or_else(closed)?;
        self.bucket.put_new(&self.path, buffer.freeze()).await.map_err(to_iceberg)
    }
}

fn closed() -> iceberg::Error {
    to_iceberg(Error::new(ErrorKind::Internal, "a file was written after it was closed"))
}
