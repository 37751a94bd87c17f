// The reference server of tus, to stand beside ours: node restarting-server.mjs PORT DIRECTORY
// It is started again when it dies, and says so: one request that kills it shall not hide what it does with the others.
import cluster from "node:cluster";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [port, directory] = process.argv.slice(2);
const day = 24 * 60 * 60 * 1000;

if (cluster.isPrimary) {
  cluster.fork();
  cluster.on("exit", () => {
    console.log("died, and was started again");
    cluster.fork();
  });
} else {
  const server = new Server({
    path: "/files",
    datastore: new FileStore({ directory, expirationPeriodInMilliseconds: day }),
    maxSize: 20_000_000_000,
  });
  server.listen(Number(port), "127.0.0.1", () => console.log(`listening on ${port}`));
}
