//! What a run leaves for people to look at.
//!
//! [`Report`] is plain data; [`Page::html`] makes the page of it: one file that needs nothing else, neither scripts nor the
//! network. Each part of the page is a file of `sections/` that turns its data into markup.

pub mod document;
pub mod freeze_points;
pub mod gradients;
pub mod judge;
pub mod markup;
pub mod page;
pub mod picture;
pub mod profile;
pub mod run;
pub mod sections;
pub mod sheet;
pub mod svg;
pub mod verdict;

pub use document::Page;
pub use page::Report;
pub use picture::Picture;
pub use verdict::Verdict;
