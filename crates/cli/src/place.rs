//! Where the project is, and where its state lies.

use crate::args::Global;
use crate::failure::Failure;
use govern::project::{Files, Project, SETTINGS, Settings};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use store::StateEnv;
use vocab::Exit;

/// A project and its state directory.
#[derive(Clone, Debug)]
pub struct Place {
    /// The project's folder, canonical.
    pub root: PathBuf,
    /// Its state directory; it need not exist.
    pub state: PathBuf,
}

impl Place {
    /// The project of the command line: `--project`, else the nearest folder above with a `mortise.toml`.
    pub fn find(global: &Global) -> Result<Self, Failure> {
        let start = match &global.project {
            Some(chosen) => chosen.clone(),
            None => {
                let here = std::env::current_dir()?;
                let above = here.ancestors().find(|folder| folder.join(SETTINGS).is_file());
                above.map(Path::to_owned).ok_or_else(|| {
                    Failure::new(Exit::Configuration, "there is no `mortise.toml` here or above")
                        .with_help("run `mortise init` in your repository, or name one with `--project DIR`")
                })?
            }
        };
        Self::at(&start)
    }

    /// The project in a folder.
    pub fn at(folder: &Path) -> Result<Self, Failure> {
        let root = std::fs::canonicalize(folder).map_err(|error| {
            Failure::new(Exit::Configuration, format!("cannot open `{}`: {error}", folder.display()))
        })?;
        let (chosen, xdg, home) =
            (std::env::var_os("MORTISE_STATE_DIR"), std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"));
        let env =
            StateEnv { mortise_state_dir: chosen.as_deref(), xdg_state_home: xdg.as_deref(), home: home.as_deref() };
        let state =
            store::state::resolve(&env, &root).map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
        Ok(Self { root, state })
    }

    /// The project's files.
    pub fn files(&self) -> Result<Files, Failure> {
        Files::read(&self.root).map_err(|error| Failure::new(Exit::Configuration, error.to_string()))
    }

    /// The settings in its files.
    pub fn settings(&self) -> Result<Settings, Failure> {
        Project::parse(&self.files()?).map(|project| project.settings).map_err(Failure::diagnostics)
    }

    /// The gateway's socket.
    pub fn socket(&self) -> PathBuf {
        self.state.join(gateway::process::SOCKET)
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.state.join("log")
    }

    /// Whether there is a state directory. One that may not be looked at is an error, and so is one that may not be entered.
    pub fn has_state(&self) -> Result<bool, Failure> {
        match std::fs::read_dir(&self.state) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::unreadable(&self.state, &error)),
        }
    }

    /// What a gateway for this project is told.
    pub fn options(&self) -> gateway::process::Options {
        let environment: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        gateway::process::Options {
            root: self.root.clone(),
            state: self.state.clone(),
            home: environment.get("HOME").cloned(),
            environment,
            dev: false,
            on_demand: false,
        }
    }
}
