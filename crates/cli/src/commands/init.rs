use crate::{failure::Outcome,output::Output,args::{self,Global}}; pub fn run(_:&Output,_:&Global,_:&args::Init)->Outcome{Ok(vocab::Exit::Ok)}
