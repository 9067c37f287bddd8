//! kazoo-ruby-sdk: `phone_numbers.rb`.

use super::*;

over_both_stores! {
    numbers_come_and_go,
}

async fn numbers_come_and_go(world: &World) {
    world.allow_additions(ACCOUNT).await;
    let user = Who::Account(ACCOUNT);
    world.about(user, Method::PUT, "", Some(&json!({}))).await.data(201);
    let data = json!({"numbers": ["+14155550101", "+14155550102"]});
    let path = numbers("/collection");
    let added = world.ask(user, Method::PUT, &path, Some(&data)).await.data(201);
    assert_eq!(names(&added["success"]), ["+14155550101", "+14155550102"]);
    world.about(user, Method::DELETE, "", None).await.data(200);
}
