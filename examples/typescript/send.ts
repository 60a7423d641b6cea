// Registers two phones of a user, one of which has lost the app, sends to her, and
// says how each delivery ended. Paths, bodies and closed sets are those of the API's
// document: what is not in it does not compile.
import createClient from "openapi-fetch";
import type { components, paths } from "./belfry.js";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

const key = process.env.BELFRY_API_KEY;
// Some lists are to be had as NDJSON, too; without this their type would be either.
type Media = "application/json" | "application/problem+json";
const belfry = createClient<paths, Media>({
  baseUrl: process.argv[2] ?? "http://127.0.0.1:8080",
  headers: key ? { Authorization: `Bearer ${key}` } : {},
});

/** must returns the data of an answer; an error is a problem document, which says what is wrong and where. */
function must<T>(answer: { data?: T; error?: components["schemas"]["Problem"] }): T {
  if (answer.data !== undefined) return answer.data;
  const faults = answer.error?.errors?.map((e) => `\n  ${e.pointer}: ${e.detail}`) ?? [];
  throw new Error((answer.error?.detail ?? "no answer") + faults.join(""));
}

for (const [device_id, token] of [["phone-of-ada", "token-of-ada"], ["old-phone-of-ada", "sim-unregistered-2"]] as const) {
  must(
    await belfry.PUT("/v1/devices/{device_id}", {
      params: { path: { device_id } },
      body: { token, platform: "android", user_id: "ada" },
    }),
  );
}

const message: components["schemas"]["Message"] = {
  notification: { title: "Your order is on its way" },
  android: { notification: { visibility: "PUBLIC" } },
  data: { order: "1042" },
};
const accepted = must(
  await belfry.POST("/v1/notifications", {
    // The same key again gets the same answer, and nothing is sent twice.
    params: { header: { "Idempotency-Key": "order-1042-shipped-ts" } },
    body: { to: { user_ids: ["ada"] }, message, priority: "high", ttl: "1h" },
  }),
);
console.log(`accepted as ${accepted.id}`);

const path = { id: accepted.id };
let state: components["schemas"]["NotificationState"] = accepted.state;
while (state !== "completed") {
  await new Promise((resolve) => setTimeout(resolve, 200));
  state = must(await belfry.GET("/v1/notifications/{id}", { params: { path } })).state;
}
const { items } = must(await belfry.GET("/v1/notifications/{id}/deliveries", { params: { path } }));
for (const { code, class: outcome } of items) console.log(`${code}: ${outcome}`);

// Errors have codes of a closed set, too.
const none = await belfry.GET("/v1/devices/{device_id}", { params: { path: { device_id: "nobody" } } });
const code: components["schemas"]["ProblemCode"] | undefined = none.error?.code;
if (code === "not_found") console.log("there is no device nobody");

// @ts-expect-error there is no such priority
const wrong: components["schemas"]["Priority"] = "urgent";
void wrong;
