import { checklist } from "./checklist.ts";
import { blobScenarios } from "./push-blobs.ts";
import { manifestScenarios } from "./push-manifests.ts";
import { placeScenarios } from "./push-places.ts";

checklist("push", (scenario) => {
  blobScenarios(scenario);
  placeScenarios(scenario);
  manifestScenarios(scenario);
});
