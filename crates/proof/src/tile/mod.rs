//! C2SP tlog-tiles: how a tree and its entries are laid out as immutable resources.
//!
//! `id` names a tile or bundle, `data` is the bytes of a tile, `bundle` the bytes of entries, `builder` turns appended
//! leaf hashes into the tiles to write, `reader` is how proofs get them back.

mod builder;
mod bundle;
mod data;
mod id;
mod reader;

pub use builder::{ResumeError, TileBuilder, TileWrite};
pub use bundle::{BundleError, MAX_ENTRY_BYTES, decode_bundle, encode_bundle};
pub use data::{TileDataError, decode_hashes, encode_hashes};
pub use id::{BundleId, TILE_WIDTH, TileId, TileIdError};
pub use reader::{HashReader, ReadError};

pub(crate) use data::perfect_root;
pub(crate) use id::TILE_HEIGHT;
pub(crate) use reader::read_exact;

use id::TILE_LEVELS;
