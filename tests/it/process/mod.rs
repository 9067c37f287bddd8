//! The program as operators run it: how it starts and stops, and what it keeps of its promises when
//! it is killed, when its store fails, and beside others of its kind.

mod changes;
mod chaos;
mod crash;
mod doctor;
mod doubt;
mod follower;
mod full;
mod history;
mod jobs;
mod keys;
mod kill;
mod load;
mod maintenance;
mod outage;
mod overload;
mod replicas;
mod secrets;
mod settings;
mod slow;
mod start;
mod stop;
mod stream;
mod tables;
mod transfer;
mod weather;
