import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Where `npm run dev` finds a running hub.
const HUB = "http://127.0.0.1:8000";

export default defineConfig({
  base: "/static/",
  plugins: [react(), tailwind()],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: { polyfill: false },
    target: "es2023",
    rolldownOptions: { input: "src/main.tsx" },
  },
  server: { proxy: { "/v1": { target: HUB, ws: true }, "/approvals": HUB, "/login": HUB, "/logout": HUB } },
  test: { include: ["src/**/*.test.ts"] },
});
