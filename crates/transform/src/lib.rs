#![doc = include_str!("../README.md")]

mod error;
mod expression;
mod parse;
mod path;
mod reads;
mod render;
mod template;

pub use error::{Problem, RenderError};
pub use path::ROOTS;
pub use reads::{Read, Step};
pub use template::{DEPTH_MAX, RENDERED_MAX, TEMPLATE_TEXT_MAX, Template};
