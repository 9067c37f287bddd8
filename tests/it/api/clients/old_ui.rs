//! The old Kazoo-UI, and the pbxs application that came from it: they read `features` and
//! `features_available` at the top of a number, and know the open search.

use super::*;

over_both_stores! {
    the_numbers_manager_reads_what_it_shows,
    the_search_is_open_with_a_reseller,
}

const USER: Who = Who::Account(ACCOUNT);

async fn the_numbers_manager_reads_what_it_shows(world: &World) {
    hold(world, NUMBER, "in_service").await;
    let listed = world.ask(USER, Method::GET, &numbers(""), None).await.data(200);
    assert_eq!(names(&listed["numbers"]), [NUMBER]);
    assert!(listed["cascade_quantity"].is_u64());
    let number = world.about(USER, Method::GET, "", None).await.data(200);
    assert!(number["features"].is_array() && number["features_available"].is_array());
    let path = numbers("/classifiers");
    assert!(world.ask(USER, Method::GET, &path, None).await.data(200)["did_us"].is_object());
}

async fn the_search_is_open_with_a_reseller(world: &World) {
    let path = "/v2/phone_numbers?prefix=415&quantity=2";
    assert_eq!(world.ask(Who::Nobody, Method::GET, path, None).await.status, 401);
    let path = format!("{path}&reseller_id={ACCOUNT}");
    let restricted = world.ask(Who::Nobody, Method::GET, &path, None).await;
    let message = restricted.json()["message"].clone();
    assert_eq!((restricted.status.as_u16(), message), (404, json!("number search restricted")));
}
