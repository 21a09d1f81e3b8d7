// The three ways in which clients of services like this one read a stream, each as such clients
// have it. Prints the events that the way named by the first argument finds, as one JSON list.

const ask = () =>
  fetch(`${process.env.FORGE_URL}${process.env.FORGE_PATH}`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${process.env.FORGE_TOKEN}`,
      "Content-Type": "application/json",
    },
    body: process.env.FORGE_BODY,
  });

const ways = {
  // Splits on blank lines and takes what follows `data: `.
  async blankLines(response, found) {
    const text = await response.text();
    for (const block of text.split("\n\n")) {
      if (block.startsWith("data: ")) found.push(JSON.parse(block.slice(6)));
    }
  },

  // The algorithm by which a browser's EventSource reads, section 9.2.6 of the HTML standard.
  async eventSource(response, found) {
    const text = await response.text();
    let data = "";
    let name = "";
    for (const line of text.split(/\r\n|\n|\r/)) {
      if (line === "") {
        if (data !== "" && (name === "" || name === "message")) found.push(JSON.parse(data.slice(0, -1)));
        data = "";
        name = "";
        continue;
      }
      if (line.startsWith(":")) continue;
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") data += `${value}\n`;
      if (field === "event") name = value;
    }
  },

  // Reads chunks, decodes them, and keeps the last, unfinished line for the next chunk.
  async getReader(response, found) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let buffer = "";
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      buffer += decoder.decode(value, { stream: true });
      const lines = buffer.split("\n");
      buffer = lines.pop() || "";
      for (const line of lines) {
        if (line.startsWith("data: ")) found.push(JSON.parse(line.slice(6)));
      }
    }
  },
};

const found = [];
await ways[process.argv[2]](await ask(), found);
console.log(JSON.stringify(found));
