//! Signing in to the console.

use super::Browser;
use crate::world::{Administrator, World};

impl Browser {
    /// Signs in as the world's administrator.
    pub async fn sign_in(&self, world: &World) {
        self.sign_in_as(world, world.administrator().await).await;
    }

    /// Signs in as this administrator and waits for the console's start page.
    pub async fn sign_in_as(&self, world: &World, administrator: &Administrator) {
        self.open(&format!("{}/console/sign-in", world.base())).await;
        self.enter(&administrator.email, &administrator.password).await;
        self.finds(&format!("Your account: {}", administrator.name)).await;
    }

    /// Fills in the sign-in form and submits it, without checking the outcome.
    pub async fn enter(&self, email: &str, password: &str) {
        self.fill("Email address", email).await;
        self.fill("Password", password).await;
        self.click("Sign in").await;
    }
}
