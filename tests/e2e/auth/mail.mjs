// Mails and the links in them, as a browser would follow them.
import { mailTo, url } from '../stack.mjs';

const LINK = /http\S+\/auth\/v1\/verify\?[^\s)"<>]+/;

// Follows the link in the newest mail that `isWanted`; the address the browser is led to.
export const follow = async (email, isWanted = () => true) => {
  const mail = await mailTo(email, isWanted);
  const link = new URL(mail.text.match(LINK)[0].replaceAll('&amp;', '&'));
  const response = await fetch(`${url}${link.pathname}${link.search}`, { redirect: 'manual' });
  if (response.status !== 303) throw new Error(`${response.status}: ${await response.text()}`);
  return new URL(response.headers.get('location'));
};

// The pairs of an address's fragment.
export const fragment = (address) => Object.fromEntries(new URLSearchParams(address.hash.slice(1)));

// Whether a mail has this subject.
export const about = (subject) => (mail) => mail.subject === subject;
