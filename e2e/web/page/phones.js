// Two SIP clients for browsers behind one face, which a test drives.
//
// settings: {server, user, realm, password, impi, form, authorization, expires}
//   server is a WebSocket URI; form is 'header' or 'body', how TURN credentials are asked for; authorization, where there
//   is one, is a whole value such as "Bearer ..." and stands in for a password; expires is in seconds.
// A phone answers every call, with microphone of the browser's fake device and relayed candidates only.

import JsSIP from 'jssip';
import { Inviter, Registerer, RegistererState, SessionState, UserAgent, UserAgentState } from 'sip.js';
import { fromBody, fromHeader } from './credentials.js';
import { measure, within } from './relays.js';

const BODY = 'application/turn-credentials+json';
const AUDIO = { audio: true, video: false };

function asking(form) {
  return form === 'body' ? [`Accept: ${BODY}`] : ['Turn-Credentials: request'];
}

function read(form, rows, type, body) {
  if (form === 'body') return type?.startsWith(BODY) ? fromBody(body) : null;
  return rows.length ? fromHeader(rows) : null;
}

class Phone {
  constructor(settings) {
    this.settings = settings;
    this.credentials = null; // of the last registration
    this.errors = []; // icecandidateerror: {code, url, text}
    this.connection = null; // of the last call
  }

  get configuration() {
    return { iceServers: this.credentials?.iceServers ?? [], iceTransportPolicy: 'relay' };
  }

  watch(connection) {
    this.connection = connection;
    connection.addEventListener('icecandidateerror', (event) => {
      this.errors.push({ code: event.errorCode, url: event.url, text: event.errorText });
    });
  }

  measure() {
    return measure(this.connection);
  }
}

export class JsSipPhone extends Phone {
  constructor(settings) {
    super(settings);
    this.agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(settings.server)],
      uri: `sip:${settings.user}@${settings.realm}`,
      password: settings.password,
      authorization_user: settings.impi,
      authorization_jwt: settings.authorization,
      register: false,
      register_expires: settings.expires ?? 600,
      session_timers: false,
    });
    this.agent.on('newRTCSession', ({ originator, session }) => {
      if (originator === 'remote') this.accept(session);
    });
  }

  connect() {
    const connected = new Promise((resolve, reject) => {
      this.agent.once('connected', () => resolve(true));
      this.agent.once('disconnected', (event) => reject(new Error(`disconnected: ${event.code} ${event.reason}`)));
    });
    this.agent.start();
    return within(30000, 'connect', connected);
  }

  register() {
    const { form } = this.settings;
    this.agent.registrator().setExtraHeaders(asking(form));
    const registered = new Promise((resolve, reject) => {
      this.agent.once('registrationFailed', ({ response, cause }) => reject(new Error(`${response?.status_code ?? ''} ${cause}`)));
      this.agent.once('registered', ({ response }) => resolve(response));
    });
    this.agent.register();
    return within(40000, 'register', registered).then((response) => {
      this.credentials = read(form, response.getHeaders('Turn-Credentials'), response.getHeader('Content-Type'), response.body);
      return this.credentials;
    });
  }

  unregister() {
    const ended = new Promise((resolve) => this.agent.once('unregistered', () => resolve(true)));
    this.agent.unregister();
    return within(30000, 'unregister', ended);
  }

  follow(session) {
    // Without this the offer and the answer wait until every interface has been tried.
    session.on('icecandidate', ({ candidate, ready }) => candidate.type === 'relay' && ready());
    this.session = session;
  }

  accept(session) {
    session.on('peerconnection', ({ peerconnection }) => this.watch(peerconnection));
    this.follow(session);
    session.answer({ mediaConstraints: AUDIO, pcConfig: this.configuration });
  }

  call(callee) {
    const called = new Promise((resolve, reject) => {
      const session = this.agent.call(callee, {
        mediaConstraints: AUDIO,
        pcConfig: this.configuration,
        eventHandlers: {
          confirmed: () => resolve(true),
          failed: ({ cause, message }) => reject(new Error(`${message?.status_code ?? ''} ${cause}`)),
        },
      });
      this.follow(session);
      this.watch(session.connection);
    });
    return within(40000, 'call', called);
  }

  hangUp() {
    this.session.terminate();
  }

  stop() {
    this.agent.stop();
  }
}

export class SipJsPhone extends Phone {
  constructor(settings) {
    super(settings);
    this.agent = new UserAgent({
      uri: UserAgent.makeURI(`sip:${settings.user}@${settings.realm}`),
      transportOptions: { server: settings.server },
      authorizationUsername: settings.impi,
      authorizationPassword: settings.password,
      logBuiltinEnabled: false,
      sessionDescriptionHandlerFactoryOptions: { iceGatheringTimeout: 2000 },
      delegate: { onInvite: (invitation) => this.accept(invitation) },
    });
  }

  connect() {
    return within(30000, 'connect', this.agent.start().then(() => true));
  }

  register() {
    const { form, authorization, expires } = this.settings;
    const extraHeaders = [...asking(form), ...(authorization ? [`Authorization: ${authorization}`] : [])];
    this.registerer ??= new Registerer(this.agent, { expires: expires ?? 600, extraHeaders });
    const registered = new Promise((resolve, reject) => {
      this.registerer.register({
        requestDelegate: {
          onAccept: ({ message }) => resolve(message),
          onReject: ({ message }) => reject(new Error(`${message.statusCode} ${message.reasonPhrase}`)),
        },
      });
    });
    return within(40000, 'register', registered).then((message) => {
      this.credentials = read(form, message.getHeaders('Turn-Credentials'), message.getHeader('Content-Type'), message.body);
      return this.credentials;
    });
  }

  unregister() {
    const ended = new Promise((resolve) => {
      this.registerer.stateChange.addListener((state) => state === RegistererState.Unregistered && resolve(true));
    });
    this.registerer.unregister();
    return within(30000, 'unregister', ended);
  }

  options() {
    this.agent.configuration.sessionDescriptionHandlerFactoryOptions.peerConnectionConfiguration = this.configuration;
    return { sessionDescriptionHandlerOptions: { constraints: AUDIO } };
  }

  follow(session) {
    this.session = session;
    session.delegate = { onSessionDescriptionHandler: (handler) => this.watch(handler.peerConnection) };
  }

  accept(invitation) {
    this.follow(invitation);
    invitation.accept(this.options()).catch((error) => this.errors.push({ text: String(error) }));
  }

  call(callee) {
    const inviter = new Inviter(this.agent, UserAgent.makeURI(callee), this.options());
    this.follow(inviter);
    const called = new Promise((resolve, reject) => {
      inviter.stateChange.addListener((state) => state === SessionState.Established && resolve(true));
      inviter.invite({ requestDelegate: { onReject: ({ message }) => reject(new Error(`${message.statusCode} ${message.reasonPhrase}`)) } });
    });
    return within(40000, 'call', called);
  }

  hangUp() {
    return this.session.bye().then(() => true);
  }

  stop() {
    if (this.agent.state === UserAgentState.Started) return this.agent.stop();
  }
}
