// Generate an app, print the reply as it comes, and list the files that came of it.

type Said =
  | { type: "heartbeat" | "status"; message: string }
  | { type: "stream"; data: { content: string; index: number } }
  | { type: "file"; data: { path: string; content: string } }
  | { type: "package"; data: { name: string } }
  | { type: "complete"; data: { files: { path: string; content: string }[]; packages: string[] } }
  | { type: "cancelled" }
  | { type: "error"; message: string };

async function* events(response: Response): AsyncGenerator<Said> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (waiting + value).split("\n\n");
    waiting = blocks.pop() ?? "";
    for (const block of blocks) yield JSON.parse(block.slice("data: ".length)) as Said;
  }
}

const response = await fetch(`${process.env.FORGE_URL}/api/generate/stream`, {
  method: "POST",
  headers: {
    Authorization: `Bearer ${process.env.FORGE_TOKEN}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    prompt: "Create a React counter component with increment and decrement buttons",
  }),
});
if (!response.ok) throw new Error(await response.text());
for await (const said of events(response)) {
  if (said.type === "stream") process.stdout.write(said.data.content);
  else if (said.type === "error") throw new Error(said.message);
  else if (said.type === "complete") {
    console.log();
    for (const file of said.data.files) console.log(`wrote ${file.path}`);
  }
}
