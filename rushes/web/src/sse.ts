/** A parser of server-sent events (HTML Living Standard, section 9.2.6), fed with text as it arrives. Pure. */

export interface Message {
  event: string;
  data: string;
}

export class EventParser {
  lastId = "";
  private rest = "";
  private event = "";
  private data: string[] = [];

  /** Takes any piece of the stream and gives the messages that are complete with it. */
  feed(text: string): Message[] {
    this.rest += text;
    const cut = this.rest.endsWith("\r") ? this.rest.length - 1 : this.rest.length; // a \n may follow in the next piece
    const rows = this.rest.slice(0, cut).split(/\r\n|\n|\r/);
    this.rest = (rows.pop() ?? "") + this.rest.slice(cut);
    return rows.map((row) => this.take(row)).filter((found): found is Message => found !== null);
  }

  private take(row: string): Message | null {
    if (row === "") return this.dispatch();
    const colon = row.indexOf(":");
    const field = colon < 0 ? row : row.slice(0, colon);
    const value = colon < 0 ? "" : row.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.lastId = value;
    return null;
  }

  private dispatch(): Message | null {
    const message = { event: this.event || "message", data: this.data.join("\n") };
    const empty = this.data.length === 0;
    this.event = "";
    this.data = [];
    return empty ? null : message;
  }
}
