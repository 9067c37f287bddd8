//! The program as operators run it: how it starts and stops, and what it keeps of its promises when
//! it is killed, when its store fails, and beside others of its kind.

mod changes;
mod crash;
mod follower;
mod jobs;
mod keys;
mod kill;
mod load;
mod maintenance;
mod outage;
mod replicas;
mod settings;
mod slow;
mod start;
mod stop;
mod stream;
mod tables;
