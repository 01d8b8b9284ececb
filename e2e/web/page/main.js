// What tests call in this page.

import { JsSipPhone, SipJsPhone } from './phones.js';
import { connect, gather } from './relays.js';

window.phones = {
  jssip: (settings) => new JsSipPhone(settings),
  sipjs: (settings) => new SipJsPhone(settings),
};
window.relays = { connect, gather };
