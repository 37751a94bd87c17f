vcl 4.1;
# An edge of Varnish 7 in the place of nginx's: media is cached, everything else is passed on as it comes.
# Start it with `-p http_gzip_support=off`: playlists are then kept as the origin packed them, with its strong ETags.

import std;
include "backend.vcl";

sub vcl_recv {
  # Ours alone; nobody may send them.
  if (req.restarts == 0) {
    unset req.http.X-Coding;
    unset req.http.X-Signed;
    unset req.http.X-Verified;
    unset req.http.X-Original-URI;
  }

  # ---- purging: RUSHES_PURGE=varnish sends these, with the secret of the environment ------------------------------------
  if (req.method == "PURGE" || req.method == "BAN") {
    if (std.getenv("RUSHES_PURGE_SECRET") == "" || req.http.X-Purge-Key != std.getenv("RUSHES_PURGE_SECRET")) {
      return (synth(403, "Forbidden"));
    }
    if (req.method == "PURGE") { # one path, in all its forms, with and without a token
      ban("obj.http.X-Path == " + req.url);
      return (synth(200, "Banned"));
    }
    if (req.http.X-Purge-Asset !~ "^[A-Za-z0-9_-]{1,64}$") {
      return (synth(400, "X-Purge-Asset is missing"));
    }
    ban("obj.http.X-Asset == " + req.http.X-Purge-Asset);
    return (synth(200, "Banned"));
  }

  if (req.url ~ "^/(metrics|readyz)(\?.*)?$") {
    return (synth(404, "Not found"));
  }
  if (!req.http.X-Forwarded-Proto) {
    set req.http.X-Forwarded-Proto = "http";
  }
  set req.http.X-Forwarded-Host = req.http.Host;

  # Bytes of uploads are passed on as they come: an acknowledged offset is the web side's word, never ours.
  if (req.url ~ "^/files(/|\?|$)") {
    return (pipe);
  }
  # A playback token in a cookie does what it does at the front of a path.
  if (req.url ~ "^/(media|artifacts)/" && req.http.Cookie ~ "(^|;)\s*rushes-playback=[A-Za-z0-9._-]+") {
    set req.url = "/signed/" + regsub(req.http.Cookie, "^(?:.*;)?\s*rushes-playback=([A-Za-z0-9._-]+).*$", "\1") + req.url;
  }
  # Under a token: first it is asked whether that may play it, then, by a restart, for the thing itself.
  if (req.http.X-Verified) {
    set req.url = req.http.X-Signed;
  } else if (req.url ~ "^/signed/[A-Za-z0-9._-]+/(media|artifacts)/[A-Za-z0-9._/-]+(\?.*)?$" && req.url !~ "//|/\."
             && (req.method == "GET" || req.method == "HEAD")) {
    if (req.url ~ "\?") {
      std.log("cmcd:" + regsub(req.url, "^[^?]*\?", ""));
    }
    set req.http.X-Signed = regsub(req.url, "\?.*$", "");
    set req.http.X-Original-URI = req.http.X-Signed;
    set req.url = "/v1/playback/verify";
    unset req.http.Cookie;
    return (hash);
  }
  # Only what is written as we write it; any other spelling is passed on, and refused by the origin.
  if (req.url !~ "^(/signed/[^/]+)?/(media|artifacts)/[A-Za-z0-9._/-]+(\?.*)?$" || req.url ~ "//|/\."
      || (req.url ~ "^/signed/" && !req.http.X-Verified)) {
    return (pass);
  }
  if (req.method != "GET" && req.method != "HEAD") {
    return (pass);
  }
  # CMCD is for the log (varnishncsa -F '%{VCL_Log:cmcd}x'), and no part of what is asked for. Nor are credentials.
  if (req.url ~ "\?") {
    std.log("cmcd:" + regsub(req.url, "^[^?]*\?", ""));
    set req.url = regsub(req.url, "\?.*$", "");
  }
  unset req.http.Cookie;
  unset req.http.Authorization;
  # Every spelling of Accept-Encoding is one of two, and only texts have two forms.
  if (req.url ~ "\.(m3u8|mpd|vtt)$" && req.http.Accept-Encoding ~ "(?i)\bgzip\b"
      && req.http.Accept-Encoding !~ "(?i)\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)") {
    set req.http.X-Coding = "gzip";
    set req.http.Accept-Encoding = "gzip";
  } else {
    unset req.http.Accept-Encoding;
  }
  return (hash);
}

sub vcl_hash {
  # By path and form. Host is left out: it is one origin under whatever name. What was given out under a token is shared by all
  # tokens, and by nobody without one; whether a token may play an asset is that token's own.
  if (req.http.X-Verified) {
    hash_data("signed");
    hash_data(regsub(req.url, "^/signed/[^/]+", ""));
  } else if (req.http.X-Signed) {
    hash_data(regsub(req.http.X-Signed, "^(/signed/[^/]+/[a-z]+/[^/]+/).*$", "\1"));
  } else {
    hash_data(req.url);
  }
  hash_data(req.http.X-Coding);
  return (lookup);
}

sub vcl_pipe {
  set bereq.http.Connection = "close";
}

sub vcl_backend_fetch {
  unset bereq.http.X-Coding;
  unset bereq.http.X-Purge-Key;
  unset bereq.http.X-Verified;
  unset bereq.http.X-Signed;
  if (bereq.url != "/v1/playback/verify") {
    unset bereq.http.X-Original-URI;
  }
}

sub vcl_backend_response {
  if (bereq.uncacheable) {
    return (deliver);
  }
  # How long is said by Cache-Control alone: nothing stale is ever given out, a takedown has to be true within the pointer's
  # two seconds. What has expired is kept a while to be asked for by its ETag.
  set beresp.grace = 0s;
  set beresp.keep = 10m;
  set beresp.http.X-Asset = regsub(bereq.url, "^(?:/signed/[^/]+)?/[a-z]+/([^/]+)/.*$", "\1");
  set beresp.http.X-Path = regsub(bereq.url, "^/signed/[^/]+", "");
  if (bereq.url == "/v1/playback/verify") {
    set beresp.ttl = 0s;
    if (beresp.status == 204) {
      set beresp.ttl = 5s;
    } else if (beresp.status == 403) {
      set beresp.ttl = 1s;
    }
    return (deliver);
  }
  # Our answers under a token say `private`, which is for the caches of others: `vcl_deliver` says it again.
  if (bereq.url ~ "^/signed/") {
    if (beresp.status == 200) {
      set beresp.ttl = 365d;
      unset beresp.http.Cache-Control;
      if (bereq.url ~ "^/signed/[^/]+/media/[^/]+/(master\.m3u8|manifest\.mpd|g/.+)$") {
        set beresp.ttl = 2s;
      }
    } else if (beresp.status == 404) {
      set beresp.ttl = 1s;
    } else {
      set beresp.ttl = 0s;
      set beresp.uncacheable = true;
      return (deliver);
    }
  }
  # The form is in the key; clients still see Vary.
  if (beresp.http.Vary) {
    set beresp.http.X-Vary = beresp.http.Vary;
  }
  unset beresp.http.Vary;
  if (beresp.status >= 500) {
    set beresp.ttl = 0s;
    set beresp.uncacheable = true;
    return (deliver);
  }
}

sub vcl_deliver {
  if (req.http.X-Signed && !req.http.X-Verified && resp.status == 204) {
    set req.http.X-Verified = "yes";
    return (restart);
  }
  if (req.http.X-Verified && (resp.status == 200 || resp.status == 206 || resp.status == 304)) {
    set resp.http.Cache-Control = "private, max-age=300";
    if (req.url ~ "^/signed/[^/]+/media/[^/]+/(master\.m3u8|manifest\.mpd|g/.+)$") {
      set resp.http.Cache-Control = "private, max-age=2";
    }
  }
  if (resp.http.X-Vary) {
    set resp.http.Vary = resp.http.X-Vary;
  }
  unset resp.http.X-Vary;
  unset resp.http.X-Asset;
  unset resp.http.X-Path;
  unset resp.http.X-Varnish;
  unset resp.http.Via;
  if (obj.uncacheable) {
    set resp.http.X-Cache = "PASS";
  } else if (obj.hits > 0) {
    set resp.http.X-Cache = "HIT";
  } else {
    set resp.http.X-Cache = "MISS";
  }
}
