//! `thingcall device import`: devices that were registered elsewhere, from a file.
//!
//! **Invariant:** a file may be imported again: a device that is there with the same secret stays as it is.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::json;
use thingcall_core::{DeviceKey, DeviceName, DeviceRef, ProductKey, Secret};
use thingcall_store::Store;
use thingcall_tsl::{Directory, DirectoryError, NewDevice};

use crate::output::{self, Output};
use crate::tool::{self, Place};

/// How many devices one transaction registers.
const DEVICES_AT_ONCE: usize = 500;

/// The flags of `thingcall device import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Their file, or - for standard input: on each line a JSON object with productKey, deviceName, deviceSecret and, if there is
    /// one, nickname
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// A line of the file. What else it holds is passed over: an `iotId` from elsewhere is not taken.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    product_key: ProductKey,
    device_name: DeviceName,
    device_secret: Secret,
    nickname: Option<String>,
}

/// What became of the devices.
#[derive(Debug, Default)]
struct Imported {
    added: usize,
    there: usize,
}

/// Runs `thingcall device import`.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let store = args.place.open_existing().await?;
    let mut imported = Imported::default();
    let done = import(&store, &args.file, &mut imported).await;
    tool::known(&store).await;
    output::one(args.output, &[("added", json!(imported.added)), ("there", json!(imported.there))]);
    store.close().await;
    done
}

async fn import(store: &Store, file: &Path, imported: &mut Imported) -> anyhow::Result<()> {
    let mut new = Vec::new();
    for (before, line) in lines(file)?.enumerate() {
        let place = || format!("{}, line {}", file.display(), before + 1);
        let line = line.with_context(place)?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).with_context(place)?;
        match is_there(store, &line).await.with_context(place)? {
            true => imported.there += 1,
            false => new.push(line),
        }
        if new.len() == DEVICES_AT_ONCE {
            register(store, &mut new, imported).await.with_context(place)?;
        }
    }
    register(store, &mut new, imported).await
}

fn lines(file: &Path) -> anyhow::Result<Box<dyn Iterator<Item = std::io::Result<String>>>> {
    if file == Path::new("-") {
        return Ok(Box::new(stdin().lines()));
    }
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    Ok(Box::new(BufReader::new(opened).lines()))
}

/// Whether a device of this name and secret is there already.
async fn is_there(store: &Store, line: &Line) -> anyhow::Result<bool> {
    let key = DeviceKey { product: line.product_key.clone(), name: line.device_name.clone() };
    match store.device(&DeviceRef::Key(key)).await {
        Ok(record) if record.secret == line.device_secret => Ok(true),
        Ok(record) => bail!("{} exists already, with another secret; remove one of the two", record.device.key),
        Err(DirectoryError::NoDevice(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn register(store: &Store, new: &mut Vec<Line>, imported: &mut Imported) -> anyhow::Result<()> {
    let devices: Vec<_> = new.drain(..).map(Line::into_new).collect();
    if !devices.is_empty() {
        imported.added += store.register_all(devices).await?.len();
    }
    Ok(())
}

impl Line {
    fn into_new(self) -> NewDevice {
        NewDevice {
            product: self.product_key,
            name: Some(self.device_name),
            secret: Some(self.device_secret),
            nickname: self.nickname.filter(|nickname| !nickname.is_empty()),
            transport: None,
        }
    }
}
