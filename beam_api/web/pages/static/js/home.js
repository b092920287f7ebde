// The first page: its sample plays.

import { byId } from "./api.js";
import { playSample } from "./sample.js";

playSample(byId("sample"));
