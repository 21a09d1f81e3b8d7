import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { tsconfigPaths: true },
  server: { host: "127.0.0.1", port: 5173, strictPort: true },
  optimizeDeps: {
    // Bundled before their first use, so that importing one of them is instant.
    include: [
      "react",
      "react-dom",
      "react-dom/client",
      "react/jsx-runtime",
      "react/jsx-dev-runtime",
      "clsx",
      "lucide-react",
      "react-router",
      "tailwind-merge",
      "zustand",
      "zustand/middleware",
    ],
  },
});
