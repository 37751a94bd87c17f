# The web sides. A backend of Varnish is one address, so it is the edge's second port, which shares requests among them
# and keeps nothing. With a single web side it can be that itself.
backend origin {
  .host = "edge";
  .port = "8081";
  .connect_timeout = 3s;
  .first_byte_timeout = 300s;
  .between_bytes_timeout = 60s;
}
