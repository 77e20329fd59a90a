//! The environment of `fetch`: a mirror, and another cache folder. One test, because the environment is one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use frostline::weights::fetch;

#[test]
fn a_mirror_is_asked_for_the_same_folders_and_not_trusted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("http://{}/keras/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let request = lines.next().unwrap().unwrap();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwrong").unwrap();
        request
    });
    let folder = tempfile::tempdir().unwrap();
    // SAFETY: this binary has this one test, and the server's thread reads no environment.
    unsafe {
        std::env::set_var(fetch::MIRROR_ENV, &mirror);
        std::env::set_var(fetch::CACHE_ENV, folder.path());
    }
    assert_eq!(fetch::cached("vgg19", false).unwrap(), None);
    let message = fetch::fetch("vgg19", false, &mut |_, _| {}).unwrap_err().to_string();
    assert_eq!(
        server.join().unwrap(),
        "GET /keras/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 HTTP/1.1"
    );
    assert!(message.contains("instead of 253f8cb515780f3b799900260a226db6"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let message = fetch::fetch("vgg91", false, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("did you mean 'vgg"), "{message}");
}
