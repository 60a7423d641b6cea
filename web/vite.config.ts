import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// What is built is embedded in the program: its policy lets pages load files of this server only, so nothing is inlined.
export default defineConfig({
  base: '/console/',
  plugins: [react()],
  build: {
    outDir: process.env.BELFRY_UI_OUT ?? 'dist',
    emptyOutDir: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/v1': 'http://127.0.0.1:8080', '/console/session': 'http://127.0.0.1:8080' } },
});
