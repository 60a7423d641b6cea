import { useQuery, type UseQueryResult } from '@tanstack/react-query';

import { call, type Schemas } from '../api/client';

/** How the system is, at most two seconds old while the server answers. */
export function useStatus(): UseQueryResult<Schemas['Status']> {
  return useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => call('get', '/v1/status', { signal }),
    refetchInterval: 2000,
  });
}
