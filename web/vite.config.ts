import { defineConfig } from "vitest/config";

// Addresses stay relative, so that the page also works below a path; nothing is inlined, so that
// it works under a strict content security policy.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../delineate/viewers/web",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The licences of what is bundled go with it.
    license: { fileName: "licences.md" },
    // three.js, fetched only where somebody asks for the view in three dimensions.
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8000" } },
  test: { include: ["tests/**/*.test.ts"] },
});
