"""The stream checker: manifests, init segments, segments and answers of a server against the clauses that they are to keep.

`m3u8`, `mpd` and `boxes` read, without trust, into the nouns of `stream`; `gather` looks at all of a stream through a `reach`
(a folder, an object store, HTTP); each rule in the modules `rules_*` is a pure function over what was gathered.
"""
