//! The journal's disk traits on the simulated disk.

use std::io;
use std::sync::{Arc, MutexGuard};

use xos_journal::{Access, DirectoryLock, Disk, DiskFile};

use super::{Fault, Inode, NameChange, OperationKind, SimDisk, State, down};

impl Disk for SimDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.begin(OperationKind::Create, name, 0, 0)?;
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.change_names(NameChange::Create(name.to_string(), inode));
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            name: name.to_string(),
            inode,
            life: state.life,
            writable: true,
        }))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        if state.stopped {
            return Err(down());
        }
        let (inode, writable) = (state.inode(name)?, access == Access::Write);
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            name: name.to_string(),
            inode,
            life: state.life,
            writable,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin(OperationKind::Rename, from, 0, 0)?;
        state.inode(from)?;
        state.change_names(NameChange::Rename(from.to_string(), to.to_string()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin(OperationKind::Remove, name, 0, 0)?;
        state.inode(name)?;
        state.change_names(NameChange::Remove(name.to_string()));
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        if state.stopped { Err(down()) } else { Ok(state.names.keys().cloned().collect()) }
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        state.begin(OperationKind::SyncDir, "", 0, 0)?;
        state.pending_names.clear();
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn lock(&self, _name: &str) -> io::Result<DirectoryLock> {
        let mut state = self.state();
        if state.stopped {
            return Err(down());
        }
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(Box::new(SimLock { disk: self.clone(), life: state.life }))
    }

    fn describe(&self) -> String {
        "the simulated disk".to_string()
    }
}

struct SimLock {
    disk: SimDisk,
    life: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.locked = false;
        }
    }
}

struct SimFile {
    disk: SimDisk,
    name: String,
    inode: usize,
    life: u64,
    writable: bool,
}

impl SimFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.stopped || state.life != self.life { Err(down()) } else { Ok(state) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state()?;
        match state.begin(OperationKind::Sync, &self.name, 0, 0)? {
            Some(Fault::SyncError(reaches_disk)) => {
                state.sync(self.inode, reaches_disk);
                Err(io::Error::from_raw_os_error(5))
            }
            _ => {
                state.sync(self.inode, true);
                Ok(())
            }
        }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.state()?;
        let content = &state.inodes[self.inode].cache;
        let rest = content.get(offset as usize..).unwrap_or_default();
        let take = rest.len().min(buffer.len());
        buffer[..take].copy_from_slice(&rest[..take]);
        Ok(take)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state()?;
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let fault = state.begin(OperationKind::Write, &self.name, offset, bytes.len())?;
        let arrive = match fault {
            Some(Fault::StopAfter(some) | Fault::ShortWrite(some) | Fault::Error(_, some)) => {
                some.min(bytes.len())
            }
            _ => bytes.len(),
        };
        if arrive > 0 {
            state.write(self.inode, &bytes[..arrive], offset as usize);
        }
        match fault {
            Some(Fault::StopAfter(_)) => {
                state.stopped = true;
                Err(down())
            }
            Some(Fault::Error(error, _)) => Err(error.into()),
            _ => Ok(arrive),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.state()?.inodes[self.inode].cache.len() as u64)
    }
}
