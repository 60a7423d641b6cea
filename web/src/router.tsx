import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router';

import { Failure } from './parts/basics';
import { Audit } from './screens/audit';
import { Batches } from './screens/batches';
import { Groups, Letter, Letters } from './screens/letters';
import { Detail } from './screens/detail';
import { Devices, DeviceScreen } from './screens/devices';
import { NewBatch } from './screens/newbatch';
import { Notifications } from './screens/notifications';
import { Overview } from './screens/overview';
import { ReplayScreen, Replays, SimulationScreen } from './screens/replays';
import { Send } from './screens/send';
import { Shell } from './screens/shell';
import { System } from './screens/system';
import { TenantScreen } from './screens/tenant';
import { Tenants } from './screens/tenants';
import { TraceScreen } from './screens/trace';
import { Empty } from './parts/basics';

/** The filters of a list, as the address has them: texts, of known names. */
function texts<const N extends string>(...names: N[]) {
  return (raw: Record<string, unknown>): Partial<Record<N, string>> => {
    const out: Partial<Record<N, string>> = {};
    for (const n of names) {
      const v = raw[n];
      if (typeof v === 'string' || typeof v === 'number') out[n] = String(v);
    }
    return out;
  };
}

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => <Empty>The console has no such screen.</Empty>,
  errorComponent: ({ error }) => <Failure error={error} />,
});

const overview = createRoute({ getParentRoute: () => root, path: '/', component: Overview });
const send = createRoute({ getParentRoute: () => root, path: '/send', component: Send });
const newBatch = createRoute({ getParentRoute: () => root, path: '/batches/new', component: NewBatch });
const system = createRoute({ getParentRoute: () => root, path: '/system', component: System });
export const batchesRoute = createRoute({
  getParentRoute: () => root,
  path: '/batches',
  validateSearch: texts('state', 'title', 'label', 'app'),
  component: Batches,
});
export const batchRoute = createRoute({
  getParentRoute: () => root,
  path: '/batches/$id',
  validateSearch: texts('class', 'code'),
  component: () => <Detail kind="batch" id={batchRoute.useParams().id} filter={batchRoute.useSearch()} />,
});
export const notificationsRoute = createRoute({
  getParentRoute: () => root,
  path: '/notifications',
  validateSearch: texts('state', 'title', 'label', 'app', 'sender'),
  component: Notifications,
});
export const notificationRoute = createRoute({
  getParentRoute: () => root,
  path: '/notifications/$id',
  validateSearch: texts('class', 'code'),
  component: () => <Detail kind="notification" id={notificationRoute.useParams().id} filter={notificationRoute.useSearch()} />,
});
export const traceRoute = createRoute({
  getParentRoute: () => root,
  path: '/notifications/$id/deliveries/$recipient',
  component: () => <TraceScreen {...traceRoute.useParams()} />,
});
export const groupsRoute = createRoute({
  getParentRoute: () => root,
  path: '/dead-letters',
  validateSearch: texts('code', 'queue', 'tenant', 'text', 'notification'),
  component: Groups,
});
export const lettersRoute = createRoute({
  getParentRoute: () => root,
  path: '/dead-letters/letters',
  validateSearch: texts('fingerprint', 'state', 'code', 'queue', 'tenant', 'text', 'notification', 'replay'),
  component: Letters,
});
export const letterRoute = createRoute({
  getParentRoute: () => root,
  path: '/dead-letters/letters/$id',
  component: () => <Letter id={letterRoute.useParams().id} />,
});
export const simulationRoute = createRoute({
  getParentRoute: () => root,
  path: '/dead-letters/simulations/$id',
  component: () => <SimulationScreen id={simulationRoute.useParams().id} />,
});
const replays = createRoute({ getParentRoute: () => root, path: '/replays', component: Replays });
export const replayRoute = createRoute({
  getParentRoute: () => root,
  path: '/replays/$id',
  component: () => <ReplayScreen id={replayRoute.useParams().id} />,
});
export const devicesRoute = createRoute({
  getParentRoute: () => root,
  path: '/devices',
  validateSearch: texts('user_id'),
  component: Devices,
});
export const deviceRoute = createRoute({
  getParentRoute: () => root,
  path: '/devices/$id',
  component: () => <DeviceScreen id={deviceRoute.useParams().id} />,
});
const tenants = createRoute({ getParentRoute: () => root, path: '/tenants', component: Tenants });
export const tenantRoute = createRoute({
  getParentRoute: () => root,
  path: '/tenants/$tenant',
  component: () => <TenantScreen tenant={tenantRoute.useParams().tenant} />,
});
export const auditRoute = createRoute({
  getParentRoute: () => root,
  path: '/audit',
  validateSearch: texts('tenant', 'kind', 'action', 'who', 'target', 'target_id', 'since'),
  component: Audit,
});

export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    send,
    newBatch,
    system,
    batchesRoute,
    batchRoute,
    notificationsRoute,
    notificationRoute,
    traceRoute,
    groupsRoute,
    lettersRoute,
    letterRoute,
    simulationRoute,
    replays,
    replayRoute,
    devicesRoute,
    deviceRoute,
    tenants,
    tenantRoute,
    auditRoute,
  ]),
  basepath: '/console',
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
