import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { Refused } from './api/client';
import { router } from './router';
import { SignedIn } from './session';
import './style.css';

const client: QueryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A server that refuses says so once; one that does not answer is asked again.
      retry: (failures, error) => !(error instanceof Refused) && failures < 2,
      staleTime: 1000,
    },
  },
});

// A key that was revoked ends the session at the next answer.
client.getQueryCache().subscribe((e) => {
  if (e.type === 'updated' && e.action.type === 'error' && e.action.error instanceof Refused && e.action.error.status === 401) {
    void client.invalidateQueries({ queryKey: ['session'] });
  }
});

const at = document.getElementById('root');
if (at !== null) {
  createRoot(at).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <SignedIn>
          <RouterProvider router={router} />
        </SignedIn>
      </QueryClientProvider>
    </StrictMode>,
  );
}
