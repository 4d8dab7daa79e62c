export { seededRandom } from "../../hw/random/seeded.ts";
