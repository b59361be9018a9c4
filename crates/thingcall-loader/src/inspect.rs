//! Reads a library's manifest as the system's loader would find it, without running any of it.
//!
//! **Invariant:** no bytes make it panic, and it reads only through the program headers, as `dlopen` does.

use object::LittleEndian;
use object::elf::{self, Dyn64, FileHeader64, Sym64};
use object::read::elf::{Dyn as _, FileHeader as _, GnuHashTable, HashTable, ProgramHeader as _, Sym as _};
use object::read::{ReadRef as _, StringTable};
use serde::Serialize;
use thingcall_plugin::abi;

use crate::manifest::{Manifest, ManifestError};

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspected {
    /// Its manifest.
    pub manifest: Manifest,
    /// The processor it was built for.
    pub machine: String,
    /// The libraries that the system must have.
    pub needed: Vec<String>,
    /// Whether its thread-locals need room that a running program has little of.
    pub static_tls: bool,
    /// Its size in bytes.
    pub size: u64,
}

/// Why a file is no plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Something else.
    #[error("not a 64-bit ELF file")]
    NotElf,
    /// A library that breaks off, or points outside of itself.
    #[error("a damaged library: {0}")]
    Damaged(&'static str),
    /// A library, but no plugin.
    #[error("not a thingcall plugin (no {})", abi::MANIFEST_SYMBOL)]
    NotPlugin,
    /// A plugin for another major version of the ABI.
    #[error("built for plugin ABI {found}; this host speaks ABI {host}", host = abi::MAJOR)]
    OtherAbi {
        /// The version in its symbol's name.
        found: u16,
    },
    /// The manifest's symbol does not name a text.
    #[error("{} is not a NUL-terminated text of at most {MANIFEST_BYTES_MAX} bytes", abi::MANIFEST_SYMBOL)]
    ManifestUnreadable,
    /// The manifest breaks a rule.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A manifest and nothing behind it.
    #[error("{} is not exported", abi::ENTRY_SYMBOL)]
    NoEntry,
}

/// The longest manifest.
const MANIFEST_BYTES_MAX: usize = 64 * 1024;
/// How many needed libraries are shown.
const NEEDED_MAX: usize = 256;

/// Reads what a plugin's file says of itself. Runs nothing of it.
///
/// # Errors
/// Why it is no plugin for this host. A foreign processor and static TLS are told, not refused.
pub fn inspect(bytes: &[u8]) -> Result<Inspected, InspectError> {
    let library = Library::parse(bytes)?;
    let (mut manifest, mut entry, mut other) = (None, false, None);
    for symbol in library.symbols {
        let Some(name) = library.exported_name(symbol) else { continue };
        if name == abi::MANIFEST_SYMBOL.as_bytes() {
            manifest = Some(library.text(symbol)?);
        } else if name == abi::ENTRY_SYMBOL.as_bytes() {
            entry = true;
        } else {
            other = other.or_else(|| version_of(name));
        }
    }
    let manifest = match (manifest, other) {
        (Some(text), _) => Manifest::parse(text)?,
        (None, Some(found)) => return Err(InspectError::OtherAbi { found }),
        (None, None) => return Err(InspectError::NotPlugin),
    };
    if !entry {
        return Err(InspectError::NoEntry);
    }
    Ok(Inspected {
        manifest,
        machine: library.machine(),
        needed: library.needed(),
        static_tls: library.static_tls(),
        size: bytes.len() as u64,
    })
}

/// The processor this host runs on, in [`Inspected::machine`]'s words.
pub(crate) const HOST_MACHINE: &str = std::env::consts::ARCH;

/// The major version in the name of another version's manifest.
fn version_of(symbol: &[u8]) -> Option<u16> {
    let stem = abi::MANIFEST_SYMBOL.trim_end_matches(|c: char| c.is_ascii_digit());
    std::str::from_utf8(symbol).ok()?.strip_prefix(stem)?.parse().ok()
}

type Header = FileHeader64<LittleEndian>;
type Segment = elf::ProgramHeader64<LittleEndian>;

/// The parts of a library that its program headers lead to.
struct Library<'data> {
    bytes: &'data [u8],
    header: &'data Header,
    segments: &'data [Segment],
    dynamic: &'data [Dyn64<LittleEndian>],
    symbols: &'data [Sym64<LittleEndian>],
    strings: StringTable<'data>,
}

impl<'data> Library<'data> {
    fn parse(bytes: &'data [u8]) -> Result<Self, InspectError> {
        let endian = LittleEndian;
        let header = Header::parse(bytes).map_err(|_| InspectError::NotElf)?;
        if !header.is_little_endian() {
            return Err(InspectError::NotElf);
        }
        if header.e_type(endian) != elf::ET_DYN {
            return Err(InspectError::Damaged("it is no shared library"));
        }
        let segments =
            header.program_headers(endian, bytes).map_err(|_| InspectError::Damaged("program headers are cut off"))?;
        let mut dynamic: &[Dyn64<LittleEndian>] = &[];
        for segment in segments {
            let found =
                segment.dynamic(endian, bytes).map_err(|_| InspectError::Damaged("the dynamic segment is cut off"))?;
            if let Some(found) = found {
                dynamic = found;
                break;
            }
        }
        let mut library = Self { bytes, header, segments, dynamic, symbols: &[], strings: StringTable::default() };
        library.find_strings()?;
        library.find_symbols()?;
        Ok(library)
    }

    fn find_strings(&mut self) -> Result<(), InspectError> {
        let Some(address) = self.value(elf::DT_STRTAB) else { return Ok(()) };
        let size = self.value(elf::DT_STRSZ).unwrap_or_default();
        let table = self.at(address).and_then(|data| data.get(..usize::try_from(size).ok()?));
        let table = table.ok_or(InspectError::Damaged("the string table is cut off"))?;
        self.strings = StringTable::new(table, 0, table.len() as u64);
        Ok(())
    }

    fn find_symbols(&mut self) -> Result<(), InspectError> {
        let damaged = InspectError::Damaged("the symbol table is cut off");
        let Some(address) = self.value(elf::DT_SYMTAB) else { return Ok(()) };
        let Some(count) = self.symbol_count() else { return Ok(()) };
        let table = self.at(address).ok_or_else(|| damaged.clone())?;
        self.symbols = table.read_slice_at(0, count as usize).map_err(|()| damaged)?;
        Ok(())
    }

    /// The symbol table has no length of its own: the hash table beside it tells.
    fn symbol_count(&self) -> Option<u32> {
        let hash = |tag| self.value(tag).and_then(|address| self.at(address));
        let old = || HashTable::<Header>::parse(LittleEndian, hash(elf::DT_HASH)?).ok();
        let gnu = || GnuHashTable::<Header>::parse(LittleEndian, hash(elf::DT_GNU_HASH)?).ok();
        old().map(|table| table.symbol_table_length()).or_else(|| gnu()?.symbol_table_length(LittleEndian))
    }

    /// The entries up to the one that ends the list.
    fn entries(&self) -> impl Iterator<Item = &'data Dyn64<LittleEndian>> {
        self.dynamic.iter().take_while(|entry| entry.d_tag(LittleEndian) != elf::DT_NULL)
    }

    fn value(&self, tag: elf::DynamicTag) -> Option<u64> {
        self.entries().find(|entry| entry.d_tag(LittleEndian) == tag).map(|entry| entry.d_val(LittleEndian))
    }

    /// The file's bytes from an address of the library's memory to the end of its segment.
    fn at(&self, address: u64) -> Option<&'data [u8]> {
        self.segments.iter().filter(|segment| segment.p_type(LittleEndian) == elf::PT_LOAD).find_map(|segment| {
            let offset = address.checked_sub(segment.p_vaddr(LittleEndian))?;
            segment.data(LittleEndian, self.bytes).ok()?.get(usize::try_from(offset).ok()?..).filter(|d| !d.is_empty())
        })
    }

    /// The name of a symbol that others can use.
    fn exported_name(&self, symbol: &Sym64<LittleEndian>) -> Option<&'data [u8]> {
        let bound = matches!(symbol.st_bind(), elf::STB_GLOBAL | elf::STB_WEAK | elf::STB_GNU_UNIQUE);
        let seen = matches!(symbol.st_visibility(), elf::STV_DEFAULT | elf::STV_PROTECTED);
        if !bound || !seen || symbol.is_undefined(LittleEndian) {
            return None;
        }
        symbol.name(LittleEndian, self.strings).ok()
    }

    /// The text that a symbol names.
    fn text(&self, symbol: &Sym64<LittleEndian>) -> Result<&'data [u8], InspectError> {
        let data = self.at(symbol.st_value(LittleEndian)).ok_or(InspectError::ManifestUnreadable)?;
        let end = data.iter().take(MANIFEST_BYTES_MAX).position(|byte| *byte == 0);
        end.and_then(|end| data.get(..end)).ok_or(InspectError::ManifestUnreadable)
    }

    fn machine(&self) -> String {
        match self.header.e_machine(LittleEndian) {
            elf::EM_X86_64 => "x86_64".to_owned(),
            elf::EM_AARCH64 => "aarch64".to_owned(),
            elf::EM_RISCV => "riscv64".to_owned(),
            elf::EM_LOONGARCH => "loongarch64".to_owned(),
            elf::EM_PPC64 => "powerpc64".to_owned(),
            other => format!("machine {}", other.0),
        }
    }

    fn needed(&self) -> Vec<String> {
        self.entries()
            .filter(|entry| entry.d_tag(LittleEndian) == elf::DT_NEEDED)
            .filter_map(|entry| self.strings.get(u32::try_from(entry.d_val(LittleEndian)).ok()?).ok())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .take(NEEDED_MAX)
            .collect()
    }

    fn static_tls(&self) -> bool {
        self.value(elf::DT_FLAGS).is_some_and(|flags| flags & elf::DF_STATIC_TLS.0 != 0)
    }
}

#[cfg(test)]
mod tests;
