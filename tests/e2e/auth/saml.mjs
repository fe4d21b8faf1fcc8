// A SAML identity provider whose only user is always signed in, by an implementation that is not ours.
import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import saml from 'samlify';

// Nothing that it reads here comes from anybody but the stack.
saml.setSchemaValidator({ validate: async () => 'not looked at' });

const keyPair = () => {
  const directory = mkdtempSync(join(tmpdir(), 'saml-'));
  const [key, certificate] = ['key.pem', 'certificate.pem'].map((name) => join(directory, name));
  const subject = ['-subj', '/CN=identity provider', '-days', '2'];
  const files = ['-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files], {
    stdio: 'ignore',
  });
  const pair = { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') };
  rmSync(directory, { recursive: true });
  return pair;
};

const redirect = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const emailAddress = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';

export class IdentityProvider {
  constructor(email) {
    const { key, certificate } = keyPair();
    this.email = email;
    const location = `https://idp.example.com/${randomUUID()}`;
    this.idp = saml.IdentityProvider({
      entityID: location,
      privateKey: key,
      signingCert: certificate,
      wantAuthnRequestsSigned: true,
      nameIDFormat: [emailAddress],
      singleSignOnService: [{ Binding: redirect, Location: location }],
      singleLogoutService: [{ Binding: redirect, Location: location }],
    });
  }

  get metadata() {
    return this.idp.getMetadata();
  }

  // The form that the user's browser sends to the service provider with these metadata, in answer to
  // the request in `address`, whose signature is verified. It is the assertion that is signed, or
  // also the whole response.
  async answer(address, metadata, wantMessageSigned = false) {
    const us = saml.ServiceProvider({ metadata, wantMessageSigned });
    const url = new URL(address);
    const query = Object.fromEntries(url.searchParams);
    const octetString = url.search.slice(1).replace(/&Signature=.*/, '');
    const asked = await this.idp.parseLoginRequest(us, 'redirect', { query, octetString });
    const answer = await this.idp.createLoginResponse(us, asked, 'post', { email: this.email });
    return new URLSearchParams({ SAMLResponse: answer.context, RelayState: query.RelayState });
  }
}
